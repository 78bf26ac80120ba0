#!/usr/bin/env python3
"""log_bench.py PROGRAM [DECISIONS] - outcomes in and exports out, on this machine.

A demo service gets that many decisions (20,000), in batches; then two outcomes for each, a thousand
lines at a time; then everything is exported in both formats, while cases are decided one after the
other and without. Prints processor time of the service, memory, and what a decision waited."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HZ = os.sysconf("SC_CLK_TCK")


class Service:
    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="redress-log-")
        subprocess.run([program, "demo", "--data", self.folder], check=True, stdout=subprocess.DEVNULL)
        self.demo = json.load(open(f"{self.folder}/demo.json"))
        self.process = subprocess.Popen(
            [program, "serve", "--data", self.folder, "--rate-limit-per-s", "0"],
            stderr=subprocess.DEVNULL)
        self.wait()

    def wait(self):
        for _ in range(200):
            try:
                return self.call("admin", "/version")
            except OSError:
                time.sleep(0.05)
        sys.exit("the service does not come up")

    def call(self, role, path, body=None, key=None):
        headers = {"Authorization": "Bearer " + self.demo["keys"][role], "Content-Type": "application/x-ndjson"}
        if key:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(f"http://{self.demo['listen']}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=600) as reply:
            return reply.read()

    def cpu_s(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / HZ

    def resident_mb(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024


def case(demo, number):
    return {**demo["case"], "case_id": f"b-{number}", "customer_id": f"c-{number}"}


def waits(service, until, found):
    number = 0
    while not until.is_set():
        begun = time.monotonic()
        service.call("support", "/v1/decisions", json.dumps(case(service.demo, f"w{number}")).encode(), f"w{id(found)}-{number}")
        found.append((time.monotonic() - begun) * 1e3)
        number += 1


def timed(service, what, rows, work):
    until, found = threading.Event(), []
    for beside in (False, True):
        if beside:
            thread = threading.Thread(target=waits, args=(service, until, found))
            thread.start()
        cpu, begun, bytes_ = service.cpu_s(), time.monotonic(), work()
        cpu, wall = service.cpu_s() - cpu, time.monotonic() - begun
        if beside:
            until.set()
            thread.join()
            found.sort()
            print(f"  beside decisions: {wall:.2f} s; a decision took {statistics.median(found):.2f} ms, "
                  f"p99 {found[int(len(found) * .99)]:.2f} ms")
        else:
            print(f"{what}: {cpu / rows * 1e6:.1f} us of processor time a row, {wall:.2f} s, "
                  f"{bytes_ / 1e6:.1f} MB, the service holds {service.resident_mb():.0f} MB")


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    service = Service(program)
    ids = []
    try:
        for first in range(0, count, 500):
            body = {"cases": [case(service.demo, first + i) for i in range(500)]}
            reply = json.loads(service.call("support", "/v1/decision-batches", json.dumps(body).encode(), f"b{first}"))
            ids += [decision["id"] for decision in reply["decisions"]]
        print(f"{len(ids)} decisions, the service holds {service.resident_mb():.0f} MB")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = [json.dumps({"decision_id": id_, "metric": metric, "value": i, "occurred_at": now})
                 for i, id_ in enumerate(ids) for metric in ("value_90d", "claims_90d")]
        cpu, begun, slowest = service.cpu_s(), time.monotonic(), 0
        for first in range(0, len(lines), 1000):
            since = time.monotonic()
            service.call("science", "/v1/outcomes", "\n".join(lines[first:first + 1000]).encode())
            slowest = max(slowest, time.monotonic() - since)
        print(f"outcomes: {(service.cpu_s() - cpu) / len(lines) * 1e6:.1f} us of processor time each, "
              f"{len(lines) / (time.monotonic() - begun):.0f}/s; a thousand took at most {slowest * 1e3:.0f} ms")
        for path in ("decisions", "decisions?format=csv", "ledger", "ledger?format=csv"):
            timed(service, path, len(ids), lambda path=path: len(service.call("audit", f"/v1/exports/{path}")))
    finally:
        service.process.terminate()
        service.process.wait()


main()
