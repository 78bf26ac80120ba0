#!/usr/bin/python3
"""Judging models and policies beside straightforward NumPy and scikit-learn in the same run.

Usage: causal_bench.py [--json] [--program build/release/redress] [--rounds 3] [--rows 1000000]

Processor time of one thread, both in turn within a round, medians over the rounds; redress says its
own with --timing. Memory is the largest resident set of the command; over the data: that of all rows less that of a thousand, over eight bytes for each
number of the columns read. Goals are for 1,000,000 rows.
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

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
from sklearn.metrics import auc  # noqa: E402

ACTIONS, CONTEXTS = 5, 1000
MEMORY = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); \
used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_maxrss, used.ru_utime + used.ru_stime)"

options = argparse.ArgumentParser()
options.add_argument("--json", action="store_true")
options.add_argument("--program", default="build/release/redress")
options.add_argument("--rounds", type=int, default=3)
options.add_argument("--rows", type=int, default=1000000)
options = options.parse_args()
rng = np.random.default_rng(1)
folder = pathlib.Path(tempfile.mkdtemp(prefix="redress-bench-"))


def write(name, columns, formats):
    path = folder / name
    np.savetxt(path, np.column_stack(columns[1]), fmt=formats, delimiter=",", header=",".join(columns[0]), comments="")
    return path


def ours(*arguments):
    done = subprocess.run([options.program, *map(str, arguments), "--json", "--timing"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def usage(*arguments):
    """-> MB, processor seconds of the whole command"""
    done = subprocess.run([sys.executable, "-c", MEMORY, options.program, *map(str, arguments), "--json"], capture_output=True, text=True)
    kilobytes, seconds = map(float, done.stdout.split())
    return kilobytes / 1024, seconds


ATE = "estimate ate --data {} --treatment t --outcome y"
COVARIATES = " --covariates x1,x2,x3,x4,x5"
UPLIFT = "evaluate uplift --data {} --score s --treatment t --outcome y"
CURVE = "evaluate curve --data {} --effects e1,e2,e3 --scores s1,s2,s3 --costs 1,2,3"
MEMORY_COMMANDS = {  # and how many columns they read
    "estimate ate": (ATE, 2),
    "estimate ate --method ols": (ATE + COVARIATES + " --method ols", 7),
    "estimate ate --method lin": (ATE + COVARIATES + " --method lin", 7),
    "estimate ate --method ipw": (ATE + COVARIATES + " --method ipw", 7),
    "estimate ate --method aipw": (ATE + COVARIATES + " --method aipw", 7),
    "estimate ate --method ols --cluster": (ATE + COVARIATES + " --method ols --cluster c", 8),
    "estimate iv": ("estimate iv --data {} --treatment w --outcome y --instruments z1,z2" + COVARIATES, 9),
    "estimate surrogate": ("estimate surrogate --history {} --experiment {} --surrogates x1,x2 --covariates x3 --treatment t --outcome y", 10),
    "estimate delayed": ("estimate delayed --data {} --arm t --elapsed elapsed --converted converted --delay delay", 4),
    "evaluate experiment": ("evaluate experiment --data {} --arm t --metric y", 2),
    "evaluate uplift": (UPLIFT, 3),
    "evaluate uplift --calibration": (UPLIFT + " --calibration", 3),
    "evaluate uplift, all of it": (UPLIFT + " --calibration --baseline b --bootstrap 5", 4),
    "evaluate curve": (CURVE, 6),
    "evaluate curve --baseline": (CURVE + " --baseline b1,b2,b3", 9),
}


def wide_table(count):
    """Columns for all of these commands; covariates say something about the treatment, instruments too."""
    x, z, e = (rng.normal(size=(count, k)) for k in (5, 2, 3))
    t = rng.random(count) < 1 / (1 + np.exp(-x[:, 0] / 2))
    w = z[:, 0] + x[:, 0] + rng.normal(size=count)
    y = 2 * x[:, 0] + t * (1 + x[:, 1]) + w + rng.normal(size=count)
    s, elapsed, converted = rng.normal(size=count), rng.exponential(30, count), rng.random(count) < 0.3
    scores = e + rng.normal(size=(count, 3))
    names = "t,y,x1,x2,x3,x4,x5,w,z1,z2,c,s,b,e1,e2,e3,s1,s2,s3,b1,b2,b3,elapsed,converted,delay".split(",")
    return names, [np.column_stack([t, y, x, w, z, rng.integers(0, count // 4, count), s, s + rng.normal(size=count), e, scores,
                                    e + scores, elapsed, converted, elapsed * rng.random(count) * converted])]


def over_data(command, columns):
    peaks = [usage(*(path if word == "{}" else word for word in command))[0] for path in (wide, few_wide)]
    return (peaks[0] - peaks[1]) / (columns * 8 * n / 2**20)


def policy_memory(rows):
    """What evaluate policy takes of a log in no order: as it is, with a model fitted from six features, and where each of a
    fifth of the rows is a context of its own -> by what, MB and how many numbers its files have"""
    mixed, part = rng.permutation(n)[:rows], rng.permutation(n)[: max(rows // 5, 1)]
    columns = [context, action, logging[context, action], reward]
    more = [v[mixed] for v in columns] + list(rng.normal(size=(5, rows)))
    plain = write("mixed.csv", (["x", "action", "propensity", "reward"], [v[mixed] for v in columns]), ["%d", "%d", "%.17g", "%.17g"])
    wider = write("wider.csv", (["x", "action", "propensity", "reward", "x1", "x2", "x3", "x4", "x5"], more), ["%d", "%d", "%.17g", "%.17g"] + ["%.6g"] * 5)
    own = write("own.csv", (["id", "action", "propensity", "reward"], [np.arange(len(part)), *[v[part] for v in columns[1:]]]),
                ["%d", "%d", "%.17g", "%.17g"])
    ids = rng.permutation(len(part))
    theirs = write("theirs.csv", (["id", "action", "prob"], [np.repeat(ids, ACTIONS), np.tile(np.arange(ACTIONS), len(ids)),
                                                             target[context[part[ids]]].ravel()]), ["%d", "%d", "%.17g"])
    start = ["evaluate", "policy", "--log"]
    return {"in no order, a model as a file": (usage(*start, plain, "--policy", policy, "--outcome-model", model)[0], 4 * rows),
            "in no order, --features of six": (usage(*start, wider, "--policy", policy, "--features", "x,x1,x2,x3,x4,x5")[0], 9 * rows),
            "in no order, a context for each row": (usage(*start, own, "--policy", theirs)[0], (4 + 3 * ACTIONS) * len(part))}


def policy_over_data():
    """MB, and what is beyond a thousand rows over eight bytes for each number of the files"""
    much, few = policy_memory(n), policy_memory(min(n, 5000))
    return {what: (mb, (mb - few[what][0]) * 2**20 / 8 / (numbers - few[what][1])) for what, (mb, numbers) in much.items()}


def cpu(work):
    start = time.thread_time()
    work()
    return time.thread_time() - start


def qini_and_auuc(s, t, y):
    """The curves of scikit-uplift, areas by scikit-learn."""
    def areas(score):
        order = np.argsort(score, kind="mergesort")[::-1]
        ranked, treated, outcome = score[order], t[order], y[order]
        ends = np.r_[np.where(np.diff(ranked))[0], len(ranked) - 1]
        n1, y1 = np.cumsum(treated)[ends], np.cumsum(outcome * treated)[ends]
        n0, y0 = ends + 1 - n1, np.cumsum(outcome * (1 - treated))[ends]
        with np.errstate(all="ignore"):
            x, qini = np.r_[0, ends + 1], np.r_[0, y1 - np.nan_to_num(y0 * n1 / n0)]
            up = np.r_[0, (np.nan_to_num(y1 / n1) - np.nan_to_num(y0 / n0)) * (ends + 1)]
        return auc(x, qini) - auc([0, x[-1]], [0, qini[-1]]), auc(x, up) - auc([0, x[-1]], [0, up[-1]])

    model, perfect = areas(s), areas(y * t - y * (1 - t))
    best = areas(2 * (y == t) + (y if np.sum((y == 1) & (t == 0)) > np.sum((y == 0) & (t == 1)) else t))
    return model[0] / perfect[0], model[1] / best[1]


def estimators(w, r, q, dm):
    n = len(r)
    values = [w * r, np.minimum(w, 5) * r, w / (0.95 + 0.05 * w) * r, dm, dm + w * (r - q),
              dm + np.where(w > 10, 0, w) * (r - q), dm + 10 * w / (w * w + 10) * (r - q),
              dm + w / (0.95 + 0.05 * w) * (r - q)]
    found = [(v.mean(), v.std(ddof=1) / np.sqrt(n)) for v in values]
    v = (w * r).sum() / w.sum()
    found.append((v, np.sqrt((w * w * (r - v) ** 2).sum()) / w.sum()))
    return found


def bootstrap(w, r, q, dm, count):
    terms = np.column_stack([w * r, w, w * (r - q), dm])
    generator = np.random.default_rng(1)
    return [terms[generator.integers(0, len(r), len(r))].sum(axis=0) for _ in range(count)]


n = options.rows
score, treated = rng.normal(size=n), rng.integers(0, 2, n)
outcome = (rng.random(n) < 0.2 + 0.05 * treated * (score > 0)).astype(int)
uplift = write("uplift.csv", (["s", "t", "y"], [score, treated, outcome]), ["%.17g", "%d", "%d"])

context = np.sort(rng.integers(0, CONTEXTS, n))
logging, target = rng.dirichlet(np.full(ACTIONS, 8), CONTEXTS), rng.dirichlet(np.full(ACTIONS, 3), CONTEXTS)
table = rng.random((CONTEXTS, ACTIONS))
action = (rng.random(n)[:, None] > np.cumsum(logging, axis=1)[context]).sum(axis=1).clip(0, ACTIONS - 1)
reward = rng.random(n)
q, dm = table[context, action], (table * target).sum(axis=1)[context]
weight = target[context, action] / logging[context, action]
log = write("log.csv", (["x", "action", "propensity", "reward"],
                        [context, action, logging[context, action], reward]), ["%d", "%d", "%.17g", "%.17g"])
grid = [np.repeat(np.arange(CONTEXTS), ACTIONS), np.tile(np.arange(ACTIONS), CONTEXTS)]
policy = write("policy.csv", (["x", "action", "prob"], [*grid, target.ravel()]), ["%d", "%d", "%.17g"])
model = write("model.csv", (["x", "action", "qhat"], [*grid, table.ravel()]), ["%d", "%d", "%.17g"])
few = folder / "few.csv"
chosen = np.sort(rng.choice(n, min(n, 10000), replace=False))
few = write("few.csv", (["x", "action", "propensity", "reward"],
                        [v[chosen] for v in (context, action, logging[context, action], reward)]), ["%d", "%d", "%.17g", "%.17g"])

judge = ["evaluate", "uplift", "--data", uplift, "--score", "s", "--treatment", "t", "--outcome", "y"]
value = ["evaluate", "policy", "--log", log, "--policy", policy, "--outcome-model", model, "--clip", "5"]
again = ["evaluate", "policy", "--log", few, "--policy", policy, "--outcome-model", model, "--bootstrap", "10000"]
part = [v[chosen] for v in (weight, reward, q, dm)]
times = {name: ([], []) for name in ("qini and auuc", "all estimators", "10,000 bootstraps", "reading csv")}
for _ in range(options.rounds):
    found = ours(*judge)
    times["qini and auuc"][0].append(found["seconds"]["compute"])
    times["qini and auuc"][1].append(cpu(lambda: qini_and_auuc(score, treated, outcome)))
    times["reading csv"][0].append(found["seconds"]["read"])
    times["reading csv"][1].append(cpu(lambda: np.loadtxt(uplift, delimiter=",", skiprows=1)))
    values = ours(*value)
    times["all estimators"][0].append(values["seconds"]["compute"])
    times["all estimators"][1].append(cpu(lambda: estimators(weight, reward, q, dm)))
    times["10,000 bootstraps"][0].append(ours(*again)["seconds"]["compute"])
    times["10,000 bootstraps"][1].append(10 * cpu(lambda: bootstrap(*part, 1000)))

expected = qini_and_auuc(score, treated, outcome)
assert abs(found["qini"] - expected[0]) < 1e-9 and abs(found["uplift_auc"] - expected[1]) < 1e-9
assert abs(values["estimators"]["dr"]["value"] - estimators(weight, reward, q, dm)[4][0]) < 1e-9

generating = [usage("generate", "log", "--cases", n, "--output", "/dev/null") for _ in range(options.rounds)]

goals = {"qini and auuc": 0.15, "all estimators": 0.2, "10,000 bootstraps": 0.3, "reading csv": uplift.stat().st_size / 200e6}
rows = [{"what": what, "seconds": statistics.median(own), "numpy_seconds": statistics.median(peer), "goal_seconds": goals[what],
         "ratio": statistics.median(b / a for a, b in zip(own, peer))} for what, (own, peer) in times.items()]
megabytes = uplift.stat().st_size / 1e6
# Memory: what a command takes for all rows beyond what it takes for a thousand, over the columns it reads.
wide = write("wide.csv", wide_table(n), "%.6g")
few_wide = write("few_wide.csv", wide_table(1000), "%.6g")
memory = {what: over_data(command.split(), columns) for what, (command, columns) in MEMORY_COMMANDS.items()}
policy_logs = policy_over_data()

answer = {"rows": n, "rounds": options.rounds, "results": rows, "read_mb_per_s": megabytes / rows[-1]["seconds"],
          "policy_mb": usage(*value)[0], "policy_mb_goal": 64,
          "policy_logs": {what: {"mb": mb, "over_data": over} for what, (mb, over) in policy_logs.items()},
          "over_data": memory, "over_data_goal": 2,
          "generate_mb": generating[0][0], "generate_mb_goal": 16,
          "generate_rows_per_s": n / statistics.median(seconds for _, seconds in generating), "generate_rows_per_s_goal": 100000}
for path in folder.iterdir():
    path.unlink()
folder.rmdir()
if options.json:
    print(json.dumps(answer))
else:
    print(f"{n} rows, median of {options.rounds} rounds, processor time of one thread\n")
    print(f"{'':20} {'redress s':>10} {'NumPy s':>10} {'ratio':>7} {'goal s':>8}")
    for row in rows:
        print(f"{row['what']:20} {row['seconds']:10.3f} {row['numpy_seconds']:10.3f} {row['ratio']:7.1f} {row['goal_seconds']:8.3f}")
    print(f"\nreading {answer['read_mb_per_s']:.0f} MB/s; evaluate policy needs {answer['policy_mb']:.0f} MB, at most 64 wanted")
    print(f"generate log {answer['generate_rows_per_s']:.0f} rows/s, at least 100000 wanted, in {answer['generate_mb']:.0f} MB, at most 16")
    print("\nmemory beside the program itself, over the columns read as doubles, at most 2 wanted")
    for what, ratio in memory.items():
        print(f"{what:36} {ratio:6.2f}")
    print("\nevaluate policy of a log in no order: MB, and over the numbers of its files")
    for what, (mb, over) in policy_logs.items():
        print(f"{what:36} {mb:6.0f} {over:6.2f}")
