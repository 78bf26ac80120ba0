#!/usr/bin/python3
"""Training beside the same fits called from Python through xgboost, and the memory of both.

Usage: train_bench.py [--json] [--program build/release/redress] [--rounds 3] [--rows 50000]
    [--memory-rows 200000] [--arm-rows 100000]

The learner dr on a randomised experiment whose effects are known: eleven fits, of expected outcomes in five
folds of either arm and of the effect. Time is processor time of one thread, both in turn within a round,
medians over the rounds: redress with its start, the reading of the CSV and the writing of the bundle, Python
from arrays that are there already. Quality is the root of the mean squared error of effects on fresh rows.

Memory is the largest resident set less that of the same command on 1,000 rows, which is the program and its
libraries, over the data: the numbers of the table, eight bytes each, which is less than the bytes of the file.
auto judges five learners on rows held out, and keeps the effects of all of them until then. The rows with five arms are
of redress generate log: four features, five propensities, the cluster, the cost, the outcome and what was done.
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
import xgboost  # noqa: E402

FEATURES, FOLDS, FRESH = 10, 5, 20000
MEMORY = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); \
used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_maxrss, used.ru_utime + used.ru_stime)"

options = argparse.ArgumentParser()
options.add_argument("--json", action="store_true")
options.add_argument("--program", default="build/release/redress")
options.add_argument("--rounds", type=int, default=3)
options.add_argument("--rows", type=int, default=50000)
options.add_argument("--memory-rows", type=int, default=200000)
options.add_argument("--arm-rows", type=int, default=100000)
options = options.parse_args()
rng = np.random.default_rng(1)
folder = tempfile.TemporaryDirectory(prefix="redress-bench-")
names = [f"x{j}" for j in range(FEATURES)]


def path(name):
    return str(pathlib.Path(folder.name) / name)


def draw(n):
    """features, treatment, outcome, effect"""
    X = rng.normal(size=(n, FEATURES)).astype(np.float32)
    t, effect = rng.integers(0, 2, n), np.maximum(X[:, 0], 0) + 0.5 * (X[:, 1] > 1)
    return X, t, X[:, 2] + X[:, 3] * X[:, 4] + t * effect + rng.normal(size=n), effect


def write(name, X, t, y):
    np.savetxt(path(name), np.column_stack([X, t, y]), fmt=["%.9g"] * FEATURES + ["%d", "%.9g"], delimiter=",",
               header=",".join([*names, "t", "y"]), comments="")
    return path(name)


def ours(data, *more, learner=("dr", "--quick")):
    """-> MB, processor seconds of the whole command"""
    done = subprocess.run([sys.executable, "-c", MEMORY, options.program, "train", "--data", data, "--treatment", "t", "--outcome",
                           "y", "--features", ",".join(names), "--randomised", "--output", path("model"), "--learner", *learner, *more], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    kilobytes, seconds = map(float, done.stdout.split())
    return kilobytes / 1024, seconds


PROPENSITIES = ",".join(f"propensity_{amount}" for amount in range(0, 2001, 500))
ARM_COLUMNS = 13


def arms(rows, learner):
    """-> MB of training with a control and four arms"""
    log = path(f"arms_{rows}.csv")
    if not pathlib.Path(log).exists():
        subprocess.run([options.program, "generate", "log", "--cases", str(rows), "--seed", "3", "--output", log], capture_output=True, check=True)
    done = subprocess.run([sys.executable, "-c", MEMORY, options.program, "train", "--data", log, "--treatment", "credit", "--outcome",
                           "value_90d", "--cost", "cost", "--cluster", "customer_id", "--propensity", PROPENSITIES, "--features",
                           "tenure_days,orders_90d,minutes_late,issue", "--learner", *learner, "--output", path("model")],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.split()[0]) / 1024


def fit(X, y, rounds, depth, rate, leaf_share, seed):
    settings = {"objective": "reg:squarederror", "tree_method": "hist", "nthread": 1, "seed": seed, "base_score": float(y.mean()),
                "max_depth": depth, "eta": rate, "min_child_weight": leaf_share * len(y), "subsample": 0.7,
                "colsample_bytree": 0.7, "reg_lambda": 10}
    return xgboost.train(settings, xgboost.DMatrix(X, label=y), rounds)


def theirs(X, t, y):
    fold, mu, share = rng.integers(0, FOLDS, len(y)), np.zeros((2, len(y))), t.mean()
    for k in range(FOLDS):
        inside = xgboost.DMatrix(X[fold == k])
        for arm in (0, 1):
            used = (fold != k) & (t == arm)
            mu[arm, fold == k] = fit(X[used], y[used], 60, 3, 0.08, 1e-3, 2 * k + arm).predict(inside)
    target = mu[1] - mu[0] + np.where(t == 1, (y - mu[1]) / share, -(y - mu[0]) / (1 - share))
    return fit(X, target, 100, 3, 0.03, 1 / 40, 101)


def error(effects, truth):
    return float(np.sqrt(np.mean((effects - truth) ** 2)))


X, t, y, _ = draw(options.rows)
fresh, fresh_t, fresh_y, truth = draw(FRESH)
data, fresh_path = write("log.csv", X, t, y), write("fresh.csv", fresh, fresh_t, fresh_y)
own_times, peer_times = [], []
for _ in range(options.rounds):
    own_times.append(ours(data)[1])
    start = time.process_time()
    booster = theirs(X, t, y)
    peer_times.append(time.process_time() - start)
scores = subprocess.run([options.program, "model", "score", path("model"), "--rows", fresh_path], capture_output=True, text=True, check=True)
own_error = error(np.array(scores.stdout.split()[1:], dtype=float), truth)
peer_error = error(booster.predict(xgboost.DMatrix(fresh)), truth)

X, t, y, _ = draw(options.memory_rows)
much, few = write("much.csv", X, t, y), write("few.csv", X[:1000], t[:1000], y[:1000])
megabytes = options.memory_rows * (FEATURES + 2) * 8 / 2**20
memory = {}
for base, learner in (("xgboost", ("dr", "--quick")), ("ridge", ("dr", "--quick")), ("xgboost", ("auto",))):
    used, program = ours(much, "--base", base, learner=learner)[0], ours(few, "--base", base, learner=learner)[0]
    memory[f"{base}, {' '.join(learner)}"] = (used - program) / megabytes
for learner in (("dr", "--quick"), ("dr",), ("s",), ("auto",)):
    beyond = arms(options.arm_rows, learner) - arms(1000, learner)
    memory[f"five arms, {' '.join(learner)}"] = beyond / (options.arm_rows * ARM_COLUMNS * 8 / 2**20)

answer = {"rows": options.rows, "rounds": options.rounds, "seconds": statistics.median(own_times),
          "xgboost_seconds": statistics.median(peer_times),
          "ratio": statistics.median(b / a for a, b in zip(own_times, peer_times)), "ratio_goal": 1,
          "error": own_error, "xgboost_error": peer_error, "error_goal": 1.05 * peer_error,
          "memory_rows": options.memory_rows, "memory_over_data": memory, "memory_goal": 2}
if options.json:
    print(json.dumps(answer))
else:
    def met(is_met):
        return "yes" if is_met else "NO"

    print(f"dr on {options.rows} rows of {FEATURES} features, median of {options.rounds} rounds, processor time of one thread")
    print(f"redress {answer['seconds']:.2f} s, through Python {answer['xgboost_seconds']:.2f} s: ratio {answer['ratio']:.2f}, "
          f"goal >= 1: {met(answer['ratio'] >= 1)}")
    print(f"error of effects {own_error:.4f}, through Python {peer_error:.4f}, goal at most 1.05 of it: "
          f"{met(own_error <= 1.05 * peer_error)}")
    for base, times in memory.items():
        count = options.arm_rows if base.startswith("five arms") else options.memory_rows
        print(f"memory of {count} rows, {base}: {times:.2f} times the data, goal at most 2: {met(times <= 2)}")
