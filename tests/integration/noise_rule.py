#!/usr/bin/python3
"""How often scripts/compare_learners.py calls a difference real, where it is known whether it is.

Usage: noise_rule.py [SEED]. Made-up experiments over splits that overlap as the script's do. Learners are equal
but for luck: of the rows they are judged on, for which the rule is exact, or as much again of the rows they
learn from, for which it is a little too bold. Exit 1 when too many are told apart that are equal, or too few
that are not.
"""
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import numpy as np  # noqa: E402

import compare_learners as rule  # noqa: E402

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else time.time_ns() % 1000000
EXPERIMENTS, SPLITS, ROWS = 300, 10, 100
LEARNERS = ("s", "t", "x", "r", "dr")
rng = np.random.default_rng(SEED)


def experiment(lead, learning):
    """learner -> values over splits. The first is better by lead standard errors of one split; learning is the
    luck of a row that is learned from, beside that of one that is judged on."""
    is_test = (rng.random((SPLITS, ROWS)) < rule.TEST_SHARE).astype(float)
    test = is_test / is_test.sum(axis=1, keepdims=True)
    train = (1 - is_test) / (1 - is_test).sum(axis=1, keepdims=True)
    unit = 1 / np.sqrt(rule.TEST_SHARE * ROWS)
    judged, learned = rng.normal(size=(2, ROWS, len(LEARNERS)))
    values = test @ judged + learning * train @ learned
    values[:, 0] += lead * unit
    return dict(zip(LEARNERS, values.T))


def shares(lead, learning):
    """Of experiments: with any called worse, with all but the first, with a mean's interval that misses it."""
    counts = np.zeros(3)
    for _ in range(EXPERIMENTS):
        rows = rule.compare(experiment(lead, learning))
        worse = [rows[learner]["word"] == "worse" for learner in LEARNERS]
        low, high = rows[LEARNERS[1]]["ci"]
        counts += any(worse), all(worse[1:]), not low <= 0 <= high
    return counts / EXPERIMENTS


# 0.05 of 300 are 15, give or take 3.8: four of those make 0.1. In the second case some 0.12 are told apart.
WANTED = ((0, 0.1), (1, 0.2))
wrong = []
for learning, most in WANTED:
    equal, _, missed = shares(0, learning)
    _, told, _ = shares(8, learning)
    print(f"luck in learning {learning}: {equal:.3f} of experiments tell equal learners apart, {told:.3f} the better by "
          f"far; {missed:.3f} of intervals miss their mean, SEED={SEED}")
    wrong += [learning] if equal > most or missed > most or told < 0.9 else []
sys.exit(1 if wrong else 0)
