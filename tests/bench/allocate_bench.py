#!/usr/bin/python3
"""Batch allocation: gaps, times beside a pass over memory, and beside HiGHS on the same instances.

Usage: allocate_bench.py [--json] [--plot FOLDER] [--rounds 5] [--build build/release]

HiGHS is scipy.optimize.linprog(method="highs-ipm"): the linear program alone, its matrices made
beforehand. Both are measured in the same run, in turn, in CPU time of the process; medians of the
rounds (one round for HiGHS, which needs seconds). Bounds have to agree.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import scipy.sparse
from scipy.optimize import linprog

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOALS = {1: 200, 20: 100}  # budgets -> how many times faster than HiGHS
BESIDE = [(10000, 1, "refund"), (10000, 20, "refund"), (10000, 1, "weak"), (10000, 20, "weak")]


def read_instance(path):
    numbers = numpy.fromfile(path, dtype=numpy.int64)
    requests, actions, budgets, cells = numbers[:4]
    sizes = [budgets, requests * actions, requests * actions, requests, cells + 1]
    parts = numpy.split(numbers[4:], numpy.cumsum(sizes))
    limits, costs, values, cell_of, starts, cell_budgets = parts
    charged = scipy.sparse.csr_matrix((numpy.ones(len(cell_budgets)), cell_budgets, starts),
                                      shape=(cells, budgets))
    columns = numpy.repeat(numpy.arange(requests), actions)
    spends = scipy.sparse.csr_matrix(charged[cell_of].T)[:, columns].multiply(costs).tocsr()
    choose = scipy.sparse.kron(scipy.sparse.identity(requests), numpy.ones((1, actions)), format="csr")
    return {"c": -values.astype(float), "A_ub": spends, "b_ub": limits, "A_eq": choose,
            "b_eq": numpy.ones(requests), "bounds": (0, None)}


def run_highs(bench, case):
    requests, budgets, menu = case
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run([bench, "--write", file.name, str(requests), str(budgets), menu], check=True)
        problem = read_instance(file.name)
    start = time.process_time()
    answer = linprog(**problem, method="highs-ipm")
    return {"ms": 1e3 * (time.process_time() - start), "bound": -answer.fun, "is_optimal": answer.status == 0}


def run_own(bench, rounds):
    done = subprocess.run([bench, "--json", "--rounds", str(rounds)], check=True, stdout=subprocess.PIPE,
                          text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(rows, case, highs):
    requests, budgets, menu = case
    own = next(row for row in rows if row["kind"] in ("one", "shared") and
               (row["requests"], row["budgets"], row["menu"]) == case)
    ratio = highs["ms"] / own["solve_ms"]
    return {"requests": requests, "budgets": budgets, "menu": menu, "solve_ms": own["solve_ms"],
            "highs_ms": highs["ms"], "ratio": ratio, "goal": GOALS[budgets],
            "is_met": ratio >= GOALS[budgets],
            "bounds_agree": highs["is_optimal"] and
            abs(highs["bound"] - own["bound"]) <= 1e-6 * abs(own["bound"])}


def verdict(goal, is_met):
    return "" if not goal else "yes" if is_met else "NO"


def text(report):
    lines = [f"{report['cpu']}; load {report['load_before']:.1f} before, {report['load_after']:.1f} after; "
             f"medians of {report['rounds']} rounds",
             "",
             f"{'requests':>9} {'menu':<13}{'budgets':<11}{'gap':>9} {'goal':>7} {'met':>4}"
             f"{'ms':>10}{'passes':>9} {'goal':>5} {'met':>4}"]
    for row in report["rows"]:
        gap_goal, pass_goal = row["gap_goal"], row["pass_goal"]
        lines.append(
            f"{row['requests']:>9} {row['menu']:<13}{row['budgets']:>2} {row['kind']:<8}{row['gap']:>9.1e} "
            f"{gap_goal or '':>7} {verdict(gap_goal, row['gap'] <= gap_goal):>4}{row['solve_ms']:>10.2f}"
            f"{row['passes']:>9.1f} {pass_goal or '':>5} {verdict(pass_goal, row['passes'] <= pass_goal):>4}"
            f"{'  exact' if row['is_exact'] else ''}")
    lines += ["", "beside HiGHS' interior point, 8 actions a request"]
    for row in report["highs"]:
        lines.append(f"{row['requests']:>9} {row['menu']:<13}{row['budgets']:>2}  {row['solve_ms']:.2f} ms, "
                     f"HiGHS {row['highs_ms']:.0f} ms: {row['ratio']:.0f}x, goal {row['goal']}x, "
                     f"met: {verdict(1, row['is_met'])}; bounds agree: {verdict(1, row['bounds_agree'])}")
    return "\n".join(lines)


def plot(report, folder):
    folder.mkdir(parents=True, exist_ok=True)
    shown = [row for row in report["rows"] if row["menu"] == "refund"]
    lines = {kind: "\n".join(f"{row['requests']} {row['solve_ms']} {row['gap']}" for row in shown
                             if row["kind"] == kind and row["requests"] >= 10000)
             for kind in ("one", "shared")}
    highs = "\n".join(f"{row['requests']} {row['highs_ms']}" for row in report["highs"]
                      if row["menu"] == "refund")
    script = f"""
set terminal pngcairo size 900,520 font 'sans,11'
set output '{folder / "allocate.png"}'
set title "One of 8 actions for each request, refund-like values\\n{{/*0.75 {report['cpu']}, one thread}}"
set logscale xy
set format x '%.0s%c'
set xlabel 'requests'
set ylabel 'ms'
set grid ytics lc rgb '#dddddd'
set key left top
set xrange [7000:1500000]
$one << EOD
{lines['one']}
EOD
$shared << EOD
{lines['shared']}
EOD
$highs << EOD
{highs}
EOD
plot $one using 1:2 with linespoints lw 2 pt 7 title 'redress, one budget', \\
     $shared using 1:2 with linespoints lw 2 pt 7 title 'redress, 20 shared budgets', \\
     $highs using 1:2 with points pt 9 ps 2 title 'HiGHS interior point, one and 20 budgets'
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    options = parser.parse_args()
    bench = options.build / "tests/bench/bench_allocate"
    report = {"cpu": cpu_name(), "rounds": options.rounds, "load_before": os.getloadavg()[0]}
    highs = [(case, run_highs(bench, case)) for case in BESIDE]
    report["rows"] = run_own(bench, options.rounds)
    report["highs"] = [compare(report["rows"], case, answer) for case, answer in highs]
    report["load_after"] = os.getloadavg()[0]
    if options.plot:
        plot(report, options.plot)
    print(json.dumps(report, indent=1) if options.json else text(report))
    return 0 if all(row["bounds_agree"] for row in report["highs"]) else 1


sys.exit(main())
