#!/usr/bin/env python3
"""redress allocate from file to answer, as multiples of `wc -l` reading the same file: CPU seconds
of both in turn, medians; and the memory of the process by the request."""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import tempfile

DOSES = [0, 250, 500, 750, 1000, 1500, 2000, 2500]


def generate(folder, count, budget_count):
    """The same requests as a table and as lines: costs in whole units, values with two decimals."""
    rng = random.Random(7)
    paths = {kind: os.path.join(folder, "large." + kind) for kind in ("csv", "ndjson")}
    with open(paths["csv"], "w") as table, open(paths["ndjson"], "w") as lines:
        table.write("request,action,value,cost\n")
        budgets = [{"id": f"b{i}", "limit": 300 * count // (1 if i == 0 else 8)}
                   for i in range(budget_count)]
        lines.write(json.dumps({"budgets": budgets}) + "\n")
        for i in range(count):
            need, actions = rng.random() * 3, []
            for dose in DOSES:
                value = round(need * dose ** 0.8 * (0.5 + rng.random()), 2)
                cost = round(dose * (0.7 + 0.3 * rng.random()))
                table.write(f"r{i:07d},c{dose},{value},{cost}\n")
                actions.append({"cost": cost, "value": value})
            own = ["b0", f"b{1 + i % 9}", f"b{10 + rng.randrange(budget_count - 10)}"]
            lines.write(json.dumps({"id": f"r{i:07d}", "budgets": own, "actions": actions}) + "\n")
    return paths


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            after.ru_maxrss, output)


def measure(program, path, count, rounds):
    command = [program, "allocate", path, "--json", "--output", "/dev/null"]
    if path.endswith(".csv"):
        command += ["--budget", str(300 * count)]
    ours, reads, solve_ms = [], [], []
    for _ in range(rounds):
        reads.append(cpu_seconds(["wc", "-l", path])[0])
        seconds, peak_kb, output = cpu_seconds(command)
        ours.append(seconds)
        answer = json.loads(output)
        solve_ms.append(answer["solve_ms"])
    seconds, read = statistics.median(ours), statistics.median(reads)
    size = os.path.getsize(path)
    print(f"{os.path.basename(path)}: {size / 1e6:.0f} MB, {seconds:.2f} s CPU "
          f"({size / 1e6 / seconds:.0f} MB/s), of that solving about "
          f"{statistics.median(solve_ms) / 1000:.2f} s by the clock; wc -l {read:.3f} s: "
          f"{seconds / read:.1f} reads; gap {answer['gap']:.1e}; "
          f"{peak_kb * 1024 / count:.0f} bytes a request at most so far")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/release/redress")
    parser.add_argument("--requests", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = generate(folder, arguments.requests, 20)
        for kind in ("ndjson", "csv"):
            measure(arguments.program, paths[kind], arguments.requests, arguments.rounds)


if __name__ == "__main__":
    main()
