#!/usr/bin/python3
"""Durable decisions beside what they could cost: speed, latency, CPU, memory, goals.

Usage: decision_bench.py [--json] [--rounds 5] [--seconds 3] [--memory-seconds 60]
                         [--only ROUNDS,SCATTERED,SLOW,HEALTH,MEMORY] [--build build/release]

Paired rounds: within each, every contender is loaded once, one after the other, over the same number
of connections, each of which asks again when its answer has come; a ratio is the median of the
rounds' own ratios, so that whatever slows the machine slows both sides of it.

  hello      libmicrohttpd alone, with the service's settings: reads a POST, answers 700 bytes
  redress    redress demo: 4 arms of 200 trees, two budgets that never run dry, every case another's
  unwritten  the same with tests/preload/no_writes.c: nothing is written, all else is done
  scattered  redress, asked with keys, customers and orders in no order, as UUIDs are: the others' rise
  in order   beside it: redress, asked as it is above
  uvicorn    tests/bench/uvicorn_peer.py: Python, sqlite3, a commit for each request, no model

A slow disk is tests/preload/slow_disk.c: 4 ms more for each flush. Health is asked 50 times a second
while far more connections than can be served ask for decisions. Memory is what the process grows
by, after its caches are full, at 500 decisions a second, in a minute; the goal is of twenty, which
--memory-seconds 1200 takes. What is counted instead of timed, kills, power cuts and hostile requests, is
told from the report of the last `make torture`. Ends with what falls short.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONNECTIONS, OVERLOAD_CONNECTIONS, FLUSH_MS, MEMORY_RATE = 64, 1024, 4, 500
BUDGET = "9000000000000"
PARTS = ["ROUNDS", "SCATTERED", "SLOW", "HEALTH", "MEMORY"]
NUMBERS = ["per_second", "p50_ms", "p90_ms", "p99_ms", "server_cpu_us"]

# What -> at least or at most how much, in which unit.
GOALS = {
    "decisions/s, redress / hello": (">=", 0.25, "x"),
    "decisions/s, redress / unwritten": (">=", 0.58, "x"),
    "decisions/s, redress / uvicorn": (">=", 6, "x"),
    "CPU per decision, redress / hello": ("<=", 5, "x"),
    "p99, redress / unwritten": ("<=", 3, "x"),
    "slow disk, p99 of 16 connections": ("<=", 12 + 3 * FLUSH_MS, "ms"),
    "slow disk, p99 of 64 connections": ("<=", 12 + 3 * FLUSH_MS, "ms"),
    "health p99 under overload": ("<", 100, "ms"),
    "health p99 under overload, slow disk": ("<", 100, "ms"),
    "memory per 1,000 decisions": ("<", 64, "kB"),
}
MEMORY_GOAL_SECONDS = 1200

# Of the report of `make torture`: what -> program, which of its lines, at least how many. A count is
# written when all of it held: no answer lost, nothing overspent, no request smuggled.
TORTURE_REPORT = ROOT / "build/torture/report.tsv"
TORTURE_GOALS = {
    "kills, none with a loss": ("test_kills", "kills of a server", 200),
    "power cuts, none with a loss": ("test_power_cut", "power cuts, a server under load", 200),
    "hostile requests, none got through": ("test_hostile", "hostile requests", 20000),
}


class Contender:
    """A server that runs, and how it is asked."""

    def __init__(self, name, process, port, *arguments):
        self.name, self.process, self.rounds = name, process, []
        self.arguments = ["--port", str(port), "--server-pid", str(process.pid), *arguments]

    def median(self, number):
        return statistics.median(one[number] for one in self.rounds)

    def resident_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)
        self.servers = None  # of the part that runs; they end with it
        self.build = pathlib.Path(options.build).resolve()
        self.program = str(self.build / "redress")
        self.cases = self.folder / "cases"
        self.measured, self.parts = {}, {}

    # --- servers --------------------------------------------------------------------------------

    def start(self, command, **more):
        process = subprocess.Popen([str(word) for word in command], text=True, **more)

        def end():
            process.terminate()
            process.wait()

        self.servers.callback(end)
        return process

    def tool(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"decision_bench: redress {arguments[0]}: {done.stderr}")
        return done.stdout

    def hello(self):
        process = self.start([self.build / "tests/bench/hello"], stdout=subprocess.PIPE)
        return Contender("hello", process, json.loads(process.stdout.readline())["port"])

    def redress(self, name, preload=None, **environment):
        data, log = self.folder / name, self.folder / f"{name}.log"
        self.tool("demo", "--data", data)
        demo = json.loads((data / "demo.json").read_text())
        for budget in json.loads(self.tool("budget", "list", "--data", data, "--json"))["data"]:
            self.tool("budget", "set", budget["id"], "--limit", BUDGET, "--data", data)
        environment = dict(os.environ, REDRESS_HEALTH_LISTEN="127.0.0.1:0", **environment)
        if preload:
            environment["LD_PRELOAD"] = str(self.build / f"tests/preload/{preload}.so")
        with open(log, "w") as out:
            process = self.start([self.program, "serve", "--data", data, "--listen", "127.0.0.1:0"],
                                 env=environment, stderr=out)
        started = wait_for(lambda: started_in(log), f"{name} does not start: see {log}")
        contender = Contender(name, process, port_of(started["listen"]), "--path", "/v1/decisions",
                              "--key", demo["keys"]["support"], "--body", str(self.cases))
        contender.health_port = port_of(started["health_listen"])
        return contender

    def unwritten(self):
        contender = self.redress("unwritten", "no_writes")
        self.load(contender, seconds=0.3)
        contender.process.send_signal(signal.SIGUSR2)
        return contender

    def uvicorn(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = self.start(
            ["/usr/bin/python3", "-m", "uvicorn", "uvicorn_peer:app", "--port", port, "--no-access-log",
             "--log-level", "warning", "--app-dir", ROOT / "tests/bench"],
            env=dict(os.environ, DATABASE=str(self.folder / "peer.db"), PYTHONDONTWRITEBYTECODE="1"))
        wait_for(lambda: can_connect(port), "uvicorn does not start")
        return Contender("uvicorn", process, port, "--body", str(self.cases))

    # --- loads ----------------------------------------------------------------------------------

    def load_command(self, contender, seconds, connections=CONNECTIONS, *more):
        return [self.build / "tests/bench/load", *contender.arguments, "--seconds", seconds,
                "--connections", connections, *more]

    def load(self, contender, seconds=None, connections=CONNECTIONS, *more):
        command = self.load_command(contender, seconds or self.options.seconds, connections, *more)
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"decision_bench: {contender.name}: {done.stderr}")
        report = json.loads(done.stdout)
        # A connection that has lived for long is closed, and may have just been asked again.
        if report["errors"] > report["broken"] and connections < OVERLOAD_CONNECTIONS:
            sys.exit(f"decision_bench: {contender.name}: errors: {report}")
        return report

    def make_cases(self):
        """Cases of 5,000 made-up customers; ten '@' become a number that no other request has."""
        with open(self.cases, "w") as out:
            for line in self.tool("generate", "cases", "--cases", "5000", "--seed", "7").splitlines():
                own = {"case_id": "b-@@@@@@@@@@", "customer_id": "c_@@@@@@@@@@",
                       "order_id": "o_@@@@@@@@@@"}
                out.write(json.dumps({**json.loads(line), **own}, separators=(",", ":")) + "\n")

    # --- parts ----------------------------------------------------------------------------------

    def take_turns(self, contenders):
        """What one has left to the disk is written before the next is asked."""
        for number in range(self.options.rounds):
            for contender in contenders:
                say(f"round {number + 1} of {self.options.rounds}: {contender.name}")
                os.sync()
                contender.rounds.append(self.load(contender))
        self.parts.setdefault("contenders", {}).update(
            {one.name: {number: one.median(number) for number in NUMBERS} for one in contenders})

    def run_rounds(self):
        all_of_them = [self.hello(), self.redress("redress"), self.unwritten(), self.uvicorn()]
        self.take_turns(all_of_them)
        hello, redress, unwritten, uvicorn = all_of_them

        def ratio(number, other):
            return statistics.median(a[number] / b[number]
                                     for a, b in zip(redress.rounds, other.rounds))

        self.measured["decisions/s, redress / hello"] = ratio("per_second", hello)
        self.measured["decisions/s, redress / unwritten"] = ratio("per_second", unwritten)
        self.measured["decisions/s, redress / uvicorn"] = ratio("per_second", uvicorn)
        self.measured["CPU per decision, redress / hello"] = ratio("server_cpu_us", hello)
        self.measured["p99, redress / unwritten"] = ratio("p99_ms", unwritten)

    def run_scattered(self):
        scattered = self.redress("scattered")
        scattered.arguments.append("--scattered")
        self.take_turns([self.redress("in order"), scattered])

    def run_slow(self):
        slow = self.redress("slow", "slow_disk", SLOW_DISK_MS=str(FLUSH_MS))
        for connections in (16, 64):
            rounds = []
            for number in range(self.options.rounds):
                say(f"slow disk, {connections} connections: round {number + 1}")
                rounds.append(self.load(slow, None, connections))
            name = f"slow disk, p99 of {connections} connections"
            self.measured[name] = statistics.median(one["p99_ms"] for one in rounds)
            self.parts[f"slow_{connections}"] = {
                number: statistics.median(one[number] for one in rounds) for number in NUMBERS}

    def run_health(self):
        for name, preload in (("", None), (", slow disk", "slow_disk")):
            crowd = self.redress(f"crowd{preload or ''}", preload, SLOW_DISK_MS=str(FLUSH_MS))
            health = Contender("health", crowd.process, crowd.health_port, "--path", "/healthz", "--get")
            p99s = []
            for number in range(self.options.rounds):
                say(f"health{name}: round {number + 1}")
                command = self.load_command(crowd, self.options.seconds + 1, OVERLOAD_CONNECTIONS)
                load = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
                time.sleep(0.5)
                p99s.append(self.load(health, None, 4, "--rate", 50)["p99_ms"])
                load.wait()
            self.measured[f"health p99 under overload{name}"] = statistics.median(p99s)

    def run_memory(self):
        grown = self.redress("grown")
        say("memory: filling the caches")
        self.load(grown, 10)
        before = grown.resident_kb()
        say(f"memory: {self.options.memory_seconds} s at {MEMORY_RATE} decisions a second")
        report = self.load(grown, self.options.memory_seconds, CONNECTIONS, "--rate", MEMORY_RATE)
        after = grown.resident_kb()
        self.measured["memory per 1,000 decisions"] = (after - before) / report["requests"] * 1000
        self.parts["memory"] = {"decisions": report["requests"], "resident_kb_before": before,
                                "resident_kb_after": after}

    # --- the report -----------------------------------------------------------------------------

    def is_met(self, name):
        relation, goal, _ = GOALS[name]
        value = self.measured[name]
        return value >= goal if relation == ">=" else value <= goal if relation == "<=" else value < goal

    def print_report(self):
        contenders = self.parts.get("contenders")
        if contenders:
            print(f"{'':<16}" + "".join(f"{name:>12}" for name in contenders))
            for number, title in zip(NUMBERS, ["requests/s", "p50 ms", "p90 ms", "p99 ms",
                                               "server CPU us"]):
                print(f"{title:<16}" + "".join(f"{c[number]:>12.5g}" for c in contenders.values()))
            print()
        for name in self.measured:
            relation, goal, unit = GOALS[name]
            print(f"{name:<40}{self.measured[name]:>10.3g} {unit:<3}"
                  f"  goal {relation + ' ' + format(goal, 'g'):<8}{'' if self.is_met(name) else '  NO'}")
        if "memory" in self.parts and self.options.memory_seconds < MEMORY_GOAL_SECONDS:
            print(f"(memory of {self.options.memory_seconds:g} s; the goal is of {MEMORY_GOAL_SECONDS}: "
                  f"--only MEMORY --memory-seconds {MEMORY_GOAL_SECONDS})")
        print_torture()
        missed = [name for name in self.measured if not self.is_met(name)]
        print("\nfalls short:" if missed else "\nnothing falls short")
        for name in missed:
            relation, goal, unit = GOALS[name]
            print(f"{name}: {self.measured[name]:.3g} {unit}, goal {relation} {goal:g}")


def print_torture():
    if not TORTURE_REPORT.exists():
        print("\nkills, power cuts and hostile requests are counted by: make torture")
        return
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(TORTURE_REPORT.stat().st_mtime))
    lines = [line.split("\t") for line in TORTURE_REPORT.read_text().splitlines()]
    print(f"\ncounted by make torture, {when}")
    for name, (program, counted, goal) in TORTURE_GOALS.items():
        count = sum(int(n) for who, what, n in lines if who == program and what == counted)
        print(f"{name:<40}{count:>10}      goal >= {goal}{'' if count >= goal else '  NO'}")


def say(what):
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def wait_for(look, why):
    for _ in range(400):
        found = look()
        if found:
            return found
        time.sleep(0.05)
    sys.exit(f"decision_bench: {why}")


def started_in(log):
    for line in log.read_text().splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if event.get("event") == "server_started":
                return event
    return None


def port_of(address):
    return address.rsplit(":", 1)[1]


def can_connect(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--memory-seconds", type=float, default=60)
    parser.add_argument("--only", type=lambda s: s.upper().split(","), default=PARTS)
    parser.add_argument("--build", default=str(ROOT / "build/release"))
    options = parser.parse_args()
    busy = os.getloadavg()[0]
    folder = tempfile.mkdtemp(prefix="decision_bench.")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        bench = Bench(options, folder)
        bench.make_cases()
        for part in options.only:
            with contextlib.ExitStack() as bench.servers:
                getattr(bench, f"run_{part.lower()}")()
        say("")
        if options.json:
            print(json.dumps({"measured": bench.measured, **bench.parts}, indent=1))
        else:
            print(f"{CONNECTIONS} connections, medians of {options.rounds} rounds of "
                  f"{options.seconds:g} s; load average {busy:.1f} before, "
                  f"{os.getloadavg()[0]:.1f} after\n")
            bench.print_report()


main()
