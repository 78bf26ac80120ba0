#!/usr/bin/python3
"""Scoring beside libxgboost and beside C compiled from the model: times, ratios, goals.

Usage: score_bench.py [--json] [--plot FOLDER] [--rounds 5] [--ms 12] [--cold-calls 10]
                      [--swaps 200] [--build build/release] [--cache build/bench]

Models are trained and their peers compiled once, into the cache. One thread; contenders in turn
within every round; medians over the rounds; a ratio is the median of the rounds' own ratios, to the
fastest way the peer has. Times are thread CPU time of a call from rows in memory to margins: doubles
for redress, floats, their own form, for the peers. Goals for "leaves31" are what was set against
LightGBM, which is not in Debian; XGBoost stands in for it.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = 16
COMPILER = ["gcc", "-O3", "-fPIC", "-fvisibility=hidden"]

# Model -> what it is, and the least ratio to XGBoost and to compiled code by (rows, cold).
MODELS = {
    "depth6_500": ("500 trees of depth 6", {(1, 0): (25, 6), (8, 0): (10, 3), (64, 0): (15, 15),
                                            (1024, 0): (15, 15), (1, 1): (4, 3)}),
    "leaves31_500": ("500 trees of 31 leaves", {(1, 0): (12, 3.5), (8, 0): (10, 3), (64, 0): (20, 5),
                                                (1024, 0): (20, 5), (1, 1): (4, 3)}),
    "depth6_100": ("100 trees of depth 6", {(1, 0): (50, 2.5), (8, 0): (10, 3), (64, 0): (None, None),
                                            (1024, 0): (None, None), (1, 1): (4, 3)}),
    "depth10_100": ("100 trees of depth 10", {(1, 0): (None, None), (8, 0): (None, None),
                                              (64, 0): (None, None), (1024, 0): (None, None),
                                              (1, 1): (None, None)}),
}
LOAD_MS_GOAL, FOUR_ARMS_US_GOAL = 50, 8


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, **more)


def need_programs(folder, names):
    """Say what to run before minutes have gone into training."""
    for name in names:
        if not (folder / name).exists():
            sys.exit(f"score_bench: {folder / name} is not there; run: make bench-programs")


# --- models and peers ---------------------------------------------------------------------------

def is_older(path, *sources):
    return not path.exists() or any(path.stat().st_mtime < source.stat().st_mtime for source in sources)


def train(cache):
    script = ROOT / "tests/bench/score_models.py"
    folder = cache / "models"
    if is_older(folder / "four_arms/manifest.json", script):
        print("bench: training models, once", file=sys.stderr)
        run(script, folder)
    return folder


def compile_peer(cache, model):
    script, source = ROOT / "scripts/ifelse.py", cache / "models" / f"{model}.json"
    folder, library = cache / "ifelse" / model, cache / "ifelse" / f"{model}.so"
    if not is_older(library, script, source):
        return library
    print(f"bench: compiling {model} as C, once", file=sys.stderr)
    run(script, source, folder, PARTS)
    parts = sorted(folder.glob("*.c"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda part: run(*COMPILER, "-c", "-o", part.with_suffix(".o"), part), parts))
    run("gcc", "-shared", "-o", library, *(part.with_suffix(".o") for part in parts))
    return library


# --- measuring ----------------------------------------------------------------------------------

def measure_peers(options, models, model, library):
    done = run(options.build / "tests/bench/score_peers", models / f"{model}.json", models / "rows.f64",
               library, options.rounds, options.ms, options.cold_calls, stdout=subprocess.PIPE, text=True)
    facts, times = {}, {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words[0] == "#":
            facts[words[1]] = words[2]
        else:
            times.setdefault((int(words[1]), int(words[2])), {}).setdefault(words[3], []).append(
                float(words[4]))
    return facts, times


def fastest(times, prefix):
    """Name and times, by round, of the way that is fastest by its median."""
    names = [name for name in times if name.startswith(prefix)]
    name = min(names, key=lambda each: statistics.median(times[each]))
    return name, times[name]


def compare(times, goals):
    own = times["redress"]
    row = {"redress_ns": statistics.median(own)}
    for peer, goal in zip(("xgboost", "ifelse"), goals):
        name, its = fastest(times, peer)
        ratio = statistics.median(theirs / ours for theirs, ours in zip(its, own))
        row[peer] = {"ns": statistics.median(its), "way": name, "ratio": ratio, "goal": goal,
                     "is_met": None if goal is None else ratio >= goal}
    return row


def measure_models(options, models):
    report, facts = [], {}
    for model, (title, goals) in MODELS.items():
        library = compile_peer(options.cache, model)
        facts, times = measure_peers(options, models, model, library)
        for (rows, cold), goal in goals.items():
            report.append({"model": model, "title": title, "rows": rows, "is_cold": bool(cold),
                           "kernel": facts[f"kernel_{rows}"], **compare(times[rows, cold], goal)})
    return report, facts


def measure_own(options, models):
    done = run(options.build / "tests/bench/score_own", models / "depth6_500.json", models / "four_arms",
               models / "rows.f64", options.rounds, stdout=subprocess.PIPE, text=True)
    values = {}
    for line in done.stdout.splitlines():
        name, value = line.split()
        values.setdefault(name, []).append(float(value))
    middle = {name: statistics.median(each) for name, each in values.items()}
    return {
        "load_500_trees_ms": middle["load_ms"], "load_goal_ms": LOAD_MS_GOAL,
        "load_is_met": middle["load_ms"] <= LOAD_MS_GOAL,
        "four_arms_p50_us": middle["p50_us"], "four_arms_p99_us": middle["p99_us"],
        "four_arms_goal_us": FOUR_ARMS_US_GOAL,
        "four_arms_is_met": middle["p50_us"] <= FOUR_ARMS_US_GOAL,
    }


def measure_swaps(options):
    done = run(ROOT / "tests/bench/score_swaps.py", options.build, options.swaps, stdout=subprocess.PIPE,
               text=True, cwd=ROOT)
    return json.loads(done.stdout)


def machine(load_before):
    facts = dict(line.split(":", 1) for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                 if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    isa = [flag for flag in ("avx2", "avx512f", "avx512bw", "avx512_vbmi", "avx512vbmi")
           if flag in facts.get("flags", "").split()]
    return {
        "cpu": f"{facts.get('model name', platform.machine())} (family {facts.get('cpu family', '?')}, "
               f"model {facts.get('model', '?')})",
        "cores": os.cpu_count(), "isa": isa,
        "compiler": subprocess.run(["gcc", "--version"], capture_output=True,
                                   text=True).stdout.splitlines()[0],
        "load_before": round(load_before, 1), "load_after": round(os.getloadavg()[0], 1),
        "at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%MZ"),
    }


# --- what is said about it ----------------------------------------------------------------------

def us(ns):
    return f"{ns / 1000:.2f}" if ns < 1e5 else f"{ns / 1000:.0f}"


def verdict(is_met):
    return "" if is_met is None else "yes" if is_met else "NO"


def versus(peer):
    goal = "-" if peer["goal"] is None else f">= {peer['goal']:g}"
    return f"{us(peer['ns']):>9} {peer['ratio']:>6.1f}x {goal:>7} {verdict(peer['is_met']):>4}"


def falls_short(report):
    """A line for every goal that is not met, for docs/benchmarks.md to explain."""
    lines = [f"{row['model']}, rows {row['rows']}{' cold' if row['is_cold'] else ''}, beside {name}: "
             f"{peer['ratio']:.1f}x of {peer['goal']:g}x, {1 - peer['ratio'] / peer['goal']:.0%} short"
             for row in report["models"]
             for name, peer in (("XGBoost", row["xgboost"]), ("compiled", row["ifelse"]))
             if peer["is_met"] is False]
    own = report["own"]
    if not own["four_arms_is_met"]:
        lines.append(f"four arms: {own['four_arms_p50_us']:.2f} us of {own['four_arms_goal_us']}")
    if not own["load_is_met"]:
        lines.append(f"500 trees read: {own['load_500_trees_ms']:.1f} ms of {own['load_goal_ms']}")
    return ["falls short:"] + lines if lines else ["every goal is met"]


def text(report):
    host = report["machine"]
    lines = [
        f"{host['cpu']}, {host['cores']} cores, {' '.join(host['isa'])}; {host['compiler']}",
        f"load average {host['load_before']} before, {host['load_after']} after; "
        f"medians of {report['rounds']} rounds; XGBoost {report['xgboost']}",
        "",
        "microseconds of thread CPU time per call, one thread",
        f"{'model':<13}{'rows':>7}  {'kernel':<14}{'redress':>8}"
        f"{'XGBoost':>10}{'ratio':>8}{'goal':>8}{'met':>5}{'compiled':>10}{'ratio':>8}{'goal':>8}{'met':>5}",
    ]
    for row in report["models"]:
        rows = f"{row['rows']}{' cold' if row['is_cold'] else ''}"
        lines.append(f"{row['model']:<13}{rows:>7}  {row['kernel']:<14}{us(row['redress_ns']):>8} "
                     f"{versus(row['xgboost'])} {versus(row['ifelse'])}")
    own = report["own"]
    lines += [
        "",
        f"four arms of 500 trees, codes and links, one case: p50 {own['four_arms_p50_us']:.2f} us "
        f"(goal <= {own['four_arms_goal_us']}: {verdict(own['four_arms_is_met'])}), "
        f"p99 {own['four_arms_p99_us']:.2f} us",
        f"500 trees read, checked and compiled: {own['load_500_trees_ms']:.1f} ms "
        f"(goal <= {own['load_goal_ms']}: {verdict(own['load_is_met'])})",
        "",
        *falls_short(report),
    ]
    swaps = report.get("swaps")
    if swaps:
        lines += [
            f"{swaps['swaps']} hot swaps under load: {swaps['requests']} cases decided meanwhile, "
            f"{swaps['errors']} errors,",
            f"  slowest {swaps['slowest_ms']:.1f} ms (without swaps {swaps['slowest_ms_without']:.1f}), "
            f"p99 {swaps['p99_ms']:.2f} ms ({swaps['p99_ms_without']:.2f}); resident "
            f"{swaps['resident_mb_first']} MB after the first seconds, {swaps['resident_mb_last']} MB at "
            "the end",
        ]
    return "\n".join(lines)


def plot(report, folder):
    """Bars of time per row, on a logarithmic scale, one picture per model."""
    folder.mkdir(parents=True, exist_ok=True)
    host = report["machine"]
    for model, (title, _) in MODELS.items():
        rows = [row for row in report["models"] if row["model"] == model]
        data = "\n".join(
            f"\"{row['rows']}{' cold' if row['is_cold'] else ''}\" {row['redress_ns'] / row['rows']} "
            f"{row['ifelse']['ns'] / row['rows']} {row['xgboost']['ns'] / row['rows']} "
            f"\"{row['ifelse']['ratio']:.1f}x\" \"{row['xgboost']['ratio']:.1f}x\"" for row in rows)
        script = f"""
set terminal pngcairo size 900,520 font 'sans,11'
set output '{folder / model}.png'
set title "{title}, 28 features: ns per row\\n{{/*0.75 {host['cpu']}, {host['cores']} cores, load {host['load_before']}, one thread, {host['at'][:10]}}}"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set logscale y
set format y '%.0s %c'
set yrange [10:*]
set grid ytics lc rgb '#dddddd'
set xlabel 'rows per call'
set key inside top left reverse Left
$data << EOD
{data}
EOD
plot $data using 2:xtic(1) title 'redress' lc rgb '#1b7837', \\
     '' using 3 title 'if/else C, gcc -O3' lc rgb '#b8860b', \\
     '' using 4 title 'XGBoost {report['xgboost']}' lc rgb '#2166ac', \\
     '' using 0:3:5 with labels offset 0,0.6 font ',9' notitle, \\
     '' using ($0+0.25):4:6 with labels offset 0,0.6 font ',9' notitle
"""
        run("gnuplot", input=script, text=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ms", type=float, default=12)
    parser.add_argument("--cold-calls", type=int, default=10)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "build/bench")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    need_programs(options.build, ["tests/bench/score_peers", "tests/bench/score_own"]
                  + ["redress", "tests/bench/load"] * (options.swaps > 0))
    models = train(options.cache)
    for model in MODELS:
        compile_peer(options.cache, model)
    load_before = os.getloadavg()[0]
    rows, facts = measure_models(options, models)
    report = {"rounds": options.rounds, "xgboost": facts["xgboost"],
              "flush_bytes": int(facts["flush_bytes"]), "models": rows,
              "own": measure_own(options, models)}
    if options.swaps:
        report["swaps"] = measure_swaps(options)
    report["machine"] = machine(load_before)
    if options.plot:
        plot(report, options.plot)
    print(json.dumps(report, indent=1) if options.json else text(report))


main()
