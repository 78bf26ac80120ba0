#!/usr/bin/env python3
"""What prices miss of what could have been earned in hindsight: made-up days, many seeds.

Runs redress simulate pacing for every profile, with 1 and with 20 budgets, over days of several sizes,
and prints mean and worst regret beside the goals at the largest. --plot FOLDER draws regret over the
size of the day. With --exploration, what is missed is what exploring adds to the regret. Exits with 1 when a budget was overspent or a goal is missed on average."""
import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROFILES = ["stationary", "volume", "drift", "burst"]
GOALS = {  # at 100,000 cases, % of the bound
    ("stationary", 1): 0.1, ("stationary", 20): 0.4, ("volume", 1): 0.4, ("volume", 20): 0.8,
    ("drift", 1): 0.4, ("drift", 20): 1.0, ("burst", 1): 3.0, ("burst", 20): 8.0,
}
GOAL_OF_EXPLORING = 0.3  # % of the bound, whatever the size
COLORS = {"stationary": "#1b7837", "volume": "#2166ac", "drift": "#b8860b", "burst": "#b2182b"}


def run(program, profile, budgets, cases, seed, *more):
    done = subprocess.run(
        [program, "simulate", "pacing", "--cases", str(cases), "--budgets", str(budgets),
         "--profile", profile, "--seed", str(seed), "--json", *more],
        capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def simulate(options, *job):
    report = run(options.program, *job)
    if options.exploration:
        exploring = run(options.program, *job, "--exploration", options.exploration)
        exploring["regret"] -= report["regret"]
        return exploring
    return report


def goal_of(options, profile, budgets, cases):
    if options.exploration:
        return GOAL_OF_EXPLORING
    return GOALS[profile, budgets] if cases == 100000 else None


def measure(options):
    jobs = [(profile, budgets, cases, seed) for cases in sorted(options.cases, reverse=True)
            for profile in options.profiles for budgets in options.budgets
            for seed in range(options.first_seed, options.first_seed + options.seeds)]
    groups = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        reports = pool.map(lambda job: simulate(options, *job), jobs)
        for number, ((profile, budgets, cases, _), report) in enumerate(zip(jobs, reports), 1):
            groups.setdefault((profile, budgets, cases), []).append(report)
            if sys.stderr.isatty():
                print(f"\r{number} of {len(jobs)} days", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return [row(options, *key, reports) for key, reports in groups.items()]


def row(options, profile, budgets, cases, reports):
    regrets = [100 * report["regret"] for report in reports]
    return {
        "profile": profile, "budgets": budgets, "cases": cases, "seeds": len(reports),
        "regret": statistics.mean(regrets), "worst": max(regrets), "best": min(regrets),
        "goal": goal_of(options, profile, budgets, cases),
        "overspend": max(report["overspend"] for report in reports),
        "clipped": 100 * statistics.mean(report["clipped"] for report in reports),
        "static": 100 * statistics.mean(report["static_price"]["regret"] for report in reports),
        "unpriced": 100 * statistics.mean(report["unpriced"]["regret"] for report in reports),
        "solve_us": statistics.median(report["solve_us"] for report in reports),
        "solves": statistics.median(report["solves"] for report in reports),
    }


def is_met(measured):
    return measured["overspend"] == 0 and (
        measured["goal"] is None or measured["regret"] <= measured["goal"])


def text(rows):
    lines = [f"{'profile':<11}{'budgets':>8}{'cases':>8}{'seeds':>6}{'mean %':>10}{'worst':>8}{'goal':>6}"
             f"{'met':>5}{'static':>8}{'unpriced':>9}{'clipped':>9}{'overspend':>10}{'solves':>7}{'us each':>8}"]
    for r in rows:
        goal = "-" if r["goal"] is None else f"{r['goal']:g}"
        lines.append(
            f"{r['profile']:<11}{r['budgets']:>8}{r['cases']:>8}{r['seeds']:>6}{r['regret']:>10.3f}"
            f"{r['worst']:>8.3f}{goal:>6}{'yes' if is_met(r) else 'NO':>5}{r['static']:>8.1f}"
            f"{r['unpriced']:>9.1f}{r['clipped']:>9.4f}{r['overspend']:>10}{r['solves']:>7.0f}"
            f"{r['solve_us']:>8.0f}")
    return "\n".join(lines)


def plot(rows, folder):
    folder.mkdir(parents=True, exist_ok=True)
    data, curves = [], []
    for profile in dict.fromkeys(r["profile"] for r in rows):
        for budgets in sorted({r["budgets"] for r in rows}):
            name = f"${profile}_{budgets}"
            points = sorted((r["cases"], r["regret"], r["best"], r["worst"]) for r in rows
                            if (r["profile"], r["budgets"]) == (profile, budgets))
            data.append(f"{name} << EOD\n" + "\n".join(" ".join(map(str, p)) for p in points) + "\nEOD")
            style = "dashtype 1 pt 7" if budgets == 20 else "dashtype 2 pt 6"
            curves.append(f"{name} using 1:2:3:4 with yerrorlines lc rgb '{COLORS[profile]}' {style} "
                          f"title '{profile}, {budgets} budget{'s' if budgets > 1 else ''}'")
    script = "\n".join(data) + f"""
set terminal pngcairo size 900,520 font 'sans,11'
set output '{folder / "pacing_regret.png"}'
set title "Regret against the bound in hindsight, mean and range over {rows[0]['seeds']} seeds"
set logscale xy
set xlabel 'cases of the day'
set ylabel '% of the bound'
set grid lc rgb '#dddddd'
set key outside right
plot {', '.join(curves)}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/redress"))
    parser.add_argument("--cases", type=lambda s: [int(n) for n in s.split(",")],
                        default=[1000, 10000, 100000])
    parser.add_argument("--profiles", type=lambda s: s.split(","), default=PROFILES)
    parser.add_argument("--budgets", type=lambda s: [int(n) for n in s.split(",")], default=[1, 20])
    parser.add_argument("--exploration", metavar="JSON", help="as a policy has it")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=pathlib.Path)
    options = parser.parse_args()
    rows = measure(options)
    if options.plot:
        plot(rows, options.plot)
    print(json.dumps(rows, indent=1) if options.json else text(rows))
    sys.exit(0 if all(map(is_met, rows)) else 1)


main()
