#!/usr/bin/python3
"""From a log of past cases to decisions under a scarce budget, and what they are worth.

    make && scripts/walkthrough.py

Generates a log of refund cases, trains a model on it, starts a service in a temporary folder,
pushes the model there, and has fresh cases decided over HTTP under a budget that is enough for
15 % of what the model would give if money were no matter. As the cases are generated, the true
effect of every credit is known: so the script can say what the decisions were worth, beside
those of a budget that is served first come, and beside as many credits given at random.

Needs Debian's libxgboost0, for training, and nothing of Python but what comes with it; takes less
than a minute. Everything it made is removed at the end, unless --keep is given.
"""
import argparse
import csv
import http.client
import json
import math
import os
import pathlib
import queue
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOSES = (500, 1000, 1500, 2000)
COST_SHARE = 0.9  # of a credit: one in ten is never used
FEATURES = ("tenure_days,orders_90d,avg_order_minor,claims_90d,credits_90d_minor,minutes_late,"
            "items_missing,days_since_order,last_rating,discount_share,contacts,"
            "app_sessions_7d,is_member,channel,issue")
PROPENSITIES = ",".join(f"propensity_{amount}" for amount in (0, *DOSES))
POLICY = {"currency": "USD", "model": "my_credit", "menu": {"amounts": list(DOSES)}}
CONNECTION_COUNT = 8
DRAW_COUNT = 200
START_SECONDS = 30


class Trouble(Exception):
    pass


shorter = {FEATURES: "tenure_days,...", PROPENSITIES: "propensity_0,..."}  # how long words of commands are shown


def show(command):
    shown = shlex.join(command)
    for words, short in shorter.items():
        shown = shown.replace(words, short)
    print(f"$ {shown}", flush=True)


def run(command, **settings):
    """Show a command, run it, and return what it printed."""
    show(command)
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, **settings)
    if done.returncode != 0:
        raise Trouble(f"{command[0]}: exit code {done.returncode}\n{done.stderr}")
    if time.monotonic() - started > 2:
        print(f"  {time.monotonic() - started:.0f} s")
    return done.stdout


def generate(folder, options):
    run([options.program, "generate", "log", "--cases", str(options.log), "--seed", "1",
         "--output", f"{folder}/log.csv"])
    run([options.program, "generate", "cases", "--cases", str(options.cases), "--seed",
         str(options.seed), "--output", f"{folder}/cases.ndjson", "--truth",
         f"{folder}/truth.csv"])


def train(folder, options):
    print("  this takes some seconds ...", flush=True)
    print(run([options.program, "train", "--data", f"{folder}/log.csv", "--treatment", "credit",
               "--outcome", "value_90d", "--propensity", PROPENSITIES, "--cost", "cost", "--cluster",
               "customer_id", "--features", FEATURES, "--learner", "dr", "--quick", "--output",
               f"{folder}/my_credit"]).replace(folder, "$DIR"), end="")


def read_cases(folder):
    """-> the cases, and per case the true net value of every amount."""
    with open(f"{folder}/cases.ndjson", encoding="utf-8") as file:
        cases = [json.loads(line) for line in file]
    for case in cases:  # the log says 1 and 0
        case["features"]["is_member"] = int(case["features"]["is_member"])
    with open(f"{folder}/truth.csv", encoding="utf-8", newline="") as file:
        values = [{0: 0.0, **{dose: float(row[f"effect_{dose}"]) - COST_SHARE * dose
                              for dose in DOSES}}
                  for row in csv.DictReader(file)]
    return cases, values


class Service:
    """A running service with a data folder of its own, and the command line as its client."""

    def __init__(self, program, data):
        self.program, self.data = program, data
        self.process = None
        self.key = run([program, "key", "create", "--name", "walkthrough", "--scope", "admin",
                        "--data", data]).strip()
        self.log = f"{data}/serve.log"
        self.start()

    def start(self):
        command = [self.program, "serve", "--data", self.data, "--listen", "127.0.0.1:0",
                   "--health-listen", "127.0.0.1:0"]
        show(command)
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            started = self.started()
            if started and is_ready(started.get("health_listen") or started["listen"]):
                self.address = started["listen"]
                return
            time.sleep(0.02)
        self.stop()
        raise Trouble(f"the service did not start:\n{pathlib.Path(self.log).read_text()}")

    def started(self):
        for line in pathlib.Path(self.log).read_text(encoding="utf-8").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("event") == "server_started":
                return event
        return None

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def command(self, *words):
        return run([self.program, *words], env={**os.environ, "REDRESS_KEY": self.key,
                                                "REDRESS_URL": f"http://{self.address}"})

    def budget(self, name):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request("GET", f"/v1/budgets/{name}", headers=self.headers())
        return json.load(connection.getresponse())

    def headers(self, key="none"):
        return {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key,
                "Content-Type": "application/json"}

    def decide(self, cases, title, query=""):
        """Post all cases, in this order, over several connections. -> amounts"""
        amounts, trouble = [0] * len(cases), []
        numbers = queue.SimpleQueue()
        for i in range(len(cases)):
            numbers.put(i)

        def work():
            connection = http.client.HTTPConnection(self.address, timeout=30)
            while not trouble:
                try:
                    i = numbers.get_nowait()
                    connection.request("POST", f"/v1/decisions{query}", json.dumps(cases[i]),
                                       self.headers(f"{title}-{i}".replace(" ", "-")))
                    response = connection.getresponse()
                    answer = json.load(response)
                    if response.status not in (200, 201):
                        raise Trouble(f"decision: {answer}")
                    amounts[i] = answer["amount"]
                except queue.Empty:
                    return
                except (OSError, ValueError, Trouble) as error:
                    trouble.append(error)

        started = time.monotonic()
        threads = [threading.Thread(target=work) for _ in range(CONNECTION_COUNT)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            threads[-1].join(2)
            if time.monotonic() - started > 2:
                print(f"\r  {title}: {len(cases) - numbers.qsize()} of {len(cases)}",
                      end="", file=sys.stderr, flush=True)
        if time.monotonic() - started > 2:
            print(file=sys.stderr)
        for thread in threads:
            thread.join()
        if trouble:
            raise Trouble(str(trouble[0]))
        print(f"  {title}: {len(cases)} cases in {time.monotonic() - started:.1f} s",
              flush=True)
        return amounts


def is_ready(address):
    try:
        connection = http.client.HTTPConnection(address, timeout=2)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def segment_of(cases, segment):
    """The same cases as another segment, which has a budget of its own."""
    return [{**case, "segment": segment} for case in cases]


def total(values, amounts):
    """True value of these amounts, and its standard error over cases."""
    each = [value[amount] for value, amount in zip(values, amounts)]
    return sum(each), math.sqrt(len(each)) * statistics.stdev(each)


def total_at_random(values, amounts, seed):
    """The same amounts to whoever it falls on: mean of many draws, and a standard error."""
    dice, amounts = random.Random(seed), list(amounts)
    totals, errors = [], []
    for _ in range(DRAW_COUNT):
        dice.shuffle(amounts)
        value, error = total(values, amounts)
        totals.append(value)
        errors.append(error)
    return statistics.mean(totals), statistics.mean(errors)


def print_table(values, given, seed):
    """given: name -> amounts."""
    print(f"\n{'':<28}{'credits':>8}{'given':>9}{'true value':>12}{'se':>8}{'per unit':>10}")
    rows = []
    for name, amounts in given.items():
        rows.append((name, amounts, *total(values, amounts)))
    priced = given["chosen at the price"]
    rows.insert(1, ("as many, at random", priced, *total_at_random(values, priced, seed)))
    for name, amounts, value, error in rows:
        spent = sum(amounts)
        print(f"{name:<28}{sum(amount > 0 for amount in amounts):>8}{spent:>9}"
              f"{value:>12.0f}{error:>8.0f}{value / spent:>10.2f}")


def walk(folder, options):
    print("--- 1. A log of past cases, whose credits were drawn at random; and fresh cases")
    generate(folder, options)
    cases, values = read_cases(folder)
    print("\n--- 2. A model of what each credit adds to a customer's value")
    train(folder, options)
    print("\n--- 3. A service of its own: a key, the server, the model, a policy")
    service = Service(options.program, f"{folder}/data")
    try:
        pathlib.Path(f"{folder}/policy.json").write_text(json.dumps(POLICY), encoding="utf-8")
        service.command("model", "push", "my_credit", f"{folder}/my_credit")
        service.command("model", "promote", "my_credit@1", "--reason", "the first one")
        service.command("policy", "set", "goodwill", f"{folder}/policy.json")

        print("\n--- 4. What would the model give if money were no matter? Dry runs hold none")
        service.command("budget", "set", "bud_plenty", "--limit", "1000000000", "--period",
                        "total", "--currency", "USD", "--scope", "segment=plenty")
        plenty = service.decide(segment_of(cases, "plenty"), "dry runs", "?dry_run=true")
        limit = sum(plenty) * options.share // 100
        print(f"  {sum(plenty)} minor units; {options.share} % of it is {limit}")

        print("\n--- 5. Two such budgets: one lasts for all cases, one is served first come")
        service.command("budget", "set", "bud_priced", "--limit", str(limit), "--period",
                        "total", "--currency", "USD", "--scope", "segment=priced",
                        "--pacing", "even", "--expected-cases", str(len(cases)))
        service.command("budget", "set", "bud_first", "--limit", str(limit), "--period",
                        "total", "--currency", "USD", "--scope", "segment=first")
        priced = service.decide(segment_of(cases, "priced"), "at a price")
        first = service.decide(segment_of(cases, "first"), "first come")
        for name, amounts in (("bud_priced", priced), ("bud_first", first)):
            budget = service.budget(name)
            if budget["held"] != sum(amounts) or budget["held"] > limit:
                raise Trouble(f"{name} holds {budget['held']}, not {sum(amounts)}")
        print(f"  the price at the end: "
              f"{service.budget('bud_priced')['shadow_price']:.2f} on top of each unit")
    finally:
        service.stop()
    print_table(values, {"chosen at the price": priced, "first come, first served": first,
                         "no limit": plenty}, options.seed)
    difference = [value[a] - value[b] for value, a, b in zip(values, priced, first)]
    error = math.sqrt(len(difference)) * statistics.stdev(difference)
    print(f"\nThe price is worth {sum(difference):.0f} (se {error:.0f}): "
          f"{total(values, priced)[0] / total(values, first)[0]:.2f} times as much for the "
          "same budget.")


def main():
    parser = argparse.ArgumentParser(
        description="From a log of past cases to decisions under a scarce budget.")
    parser.add_argument("--program", default=str(ROOT / "build/release/redress"))
    parser.add_argument("--log", type=int, default=60000, metavar="N",
                        help="past cases to train on")
    parser.add_argument("--cases", type=int, default=5000, metavar="N",
                        help="fresh cases to decide")
    parser.add_argument("--share", type=int, default=15, metavar="PERCENT",
                        help="of what the model would give without a limit")
    parser.add_argument("--seed", type=int, default=2, metavar="S",
                        help="of the fresh cases; the log has 1")
    parser.add_argument("--keep", metavar="DIR", help="work here, and remove nothing")
    options = parser.parse_args()
    if not 1 <= options.share <= 100 or options.cases < 100 or options.log < 1000:
        parser.error("--share is 1 to 100, --cases at least 100, --log at least 1000")
    if not os.access(options.program, os.X_OK):
        sys.exit(f"walkthrough: no program {options.program}: run 'make' first")

    folder = options.keep or tempfile.mkdtemp(prefix="redress-walkthrough-")
    try:
        os.makedirs(folder, exist_ok=True)
        folder = os.path.abspath(folder)
        shorter.update({folder: "$DIR", options.program: "redress"})
        print(f"DIR={folder}\n")
        walk(folder, options)
    except (Trouble, OSError) as error:
        sys.exit(f"walkthrough: {error}")
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
