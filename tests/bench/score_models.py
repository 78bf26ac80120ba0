#!/usr/bin/python3
"""Train the models that `make bench` measures, on generated cases of 28 features.

Usage: score_models.py FOLDER. Writes MODEL.json, the table rows.csv and the same rows as doubles in
rows.f64, and the bundle four_arms/. The same versions of numpy and xgboost write the same bytes.

The features are as a service has them: amounts with long tails, counts, shares, ratings and flags
beside smooth measurements; some are missing for a reason, some at random.
"""
import json
import math
import multiprocessing
import os
import pathlib
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy
import xgboost

CASES, FEATURES, ROWS, ROUNDS, SEED = 40000, 28, 2048, 500, 20
DEPTH6 = {"tree_method": "hist", "max_depth": 6}
DEPTH10 = {"tree_method": "hist", "max_depth": 10}
LEAVES31 = {"tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 31, "max_depth": 0}


def draw(count, rng):
    """Cases (case, feature): 21 smooth features and 7 of few values."""
    kind = rng.normal(size=(count, 4))  # what makes features go together
    rows = rng.normal(size=(count, FEATURES))
    rows[:, :21] += 0.7 * kind[:, rng.integers(0, 4, 21)]
    rows[:, 0:6] = numpy.round(numpy.exp(3 + rows[:, 0:6]), 2)  # amounts
    rows[:, 6:10] = 1 / (1 + numpy.exp(-rows[:, 6:10]))  # shares
    rows[:, 10:13] = numpy.round(numpy.exp(5 + rows[:, 10:13]))  # days, minutes
    rows[:, 21:24] = rng.poisson(numpy.exp(0.8 * kind[:, :3]))  # counts
    rows[:, 24:26] = numpy.clip(numpy.round(4 + rows[:, 24:26]), 1, 5)  # ratings
    rows[:, 26:] = rows[:, 26:] > 0.5  # flags
    return rows, kind


def hide(rows, rng):
    """Ratings are often missing, what comes late is missing for new customers, the rest rarely."""
    missing = rng.random(rows.shape) < 0.02
    missing[:, 24:26] |= rng.random((len(rows), 2)) < 0.4
    missing[:, 10:13] |= (rows[:, 21] == 0)[:, None]
    return numpy.where(missing, numpy.nan, rows)


def signal(rows, kind, arm):
    value = numpy.log1p(rows[:, 0]) * (rows[:, 6] - 0.5) + numpy.sin(2 * rows[:, 14] + arm)
    value += 0.6 * kind[:, 1] * rows[:, 15] + 0.4 * (rows[:, 24] < 3) * rows[:, 21]
    value += 0.5 * numpy.tanh(rows[:, 16] * rows[:, 17]) - 0.002 * rows[:, 11]
    return value + 0.3 * arm * (rows[:, 26] > 0)


def train(job):
    """One model over the same cases as all others."""
    arm, parameters, rounds = job
    rows, kind = draw(CASES, numpy.random.default_rng(SEED))
    rng = numpy.random.default_rng([SEED, arm])
    chance = 1 / (1 + numpy.exp(-signal(rows, kind, arm)))
    label = (rng.random(len(rows)) < chance).astype(float)
    data = xgboost.DMatrix(hide(rows, rng).astype(numpy.float32), label)
    settings = {"objective": "binary:logistic", "eta": 0.1, "seed": SEED, "nthread": 1, "verbosity": 0}
    return xgboost.train({**settings, **parameters}, data, rounds)


def write_rows(folder, rows):
    rows.astype("<f8").tofile(folder / "rows.f64")
    with open(folder / "rows.csv", "w", encoding="ascii") as out:
        out.write(",".join(f"f{i}" for i in range(FEATURES)) + "\n")
        for row in rows:
            out.write(",".join("" if math.isnan(x) else "%.17g" % x for x in row) + "\n")


def write_bundle(folder, boosters, rows):
    """Four arms, each with its own 500 trees and the sigmoid of their margin."""
    folder.mkdir(exist_ok=True)
    some = rows[:20]
    asked = xgboost.DMatrix(some.astype(numpy.float32))
    effects = numpy.stack([booster.predict(asked) for booster in boosters], axis=1) * 1000.0
    manifest = {
        "format": "redress-bundle/1", "name": "four_arms", "kind": "effect", "learner": "effect",
        "features": [{"name": f"f{i}", "type": "float", "missing": "allow"} for i in range(FEATURES)],
        "arms": [{"name": f"credit_{500 * (i + 1)}", "dose": 500 * (i + 1)} for i in range(len(boosters))],
        "dose_unit": "minor",
        "components": [{"role": "tau", "arm": f"credit_{500 * (i + 1)}", "file": f"arm_{i}.json",
                        "link": "sigmoid"} for i in range(len(boosters))],
        "value": {"scale": 1000.0},
        "cost": {"share": 0.9},
        "examples": {"rows": [[None if math.isnan(x) else x for x in row] for row in some.tolist()],
                     "effects": effects.tolist()},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for i, booster in enumerate(boosters):
        booster.save_model(folder / f"arm_{i}.json")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rng = numpy.random.default_rng(SEED + 1)
    asked = hide(draw(ROWS, rng)[0], rng)
    jobs = [(0, LEAVES31, ROUNDS), (0, DEPTH10, ROUNDS // 5)]
    jobs += [(arm, DEPTH6, ROUNDS) for arm in range(4)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        leaves31, depth10, *arms = pool.map(train, jobs, chunksize=1)
    leaves31.save_model(folder / "leaves31_500.json")
    depth10.save_model(folder / "depth10_100.json")
    arms[0].save_model(folder / "depth6_500.json")
    arms[0][:100].save_model(folder / "depth6_100.json")
    write_rows(folder, asked)
    write_bundle(folder / "four_arms", arms, asked)


if __name__ == "__main__":
    main()
