#!/usr/bin/python3
"""Compare learners of `redress train` on a randomised experiment, over several splits.

    compare_learners.py --data ../shared/data/hillstrom/hillstrom.csv --treatment segment \\
        --control "No E-Mail" --arm "Womens E-Mail" --outcome visit \\
        --features recency,history_segment,history,mens,womens,zip_code,newbie,channel

Each split trains on 70 % of the rows of the arm and the control, drawn by a hash of the row's
number and the split, and measures the Qini coefficient (`redress evaluate uplift`) on the rest.
The last columns compare every learner with the best: the mean difference over splits, and its
standard error corrected for splits that overlap (Nadeau and Bengio 2003). A difference below two
of these is noise.
"""
import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import zlib

TEST_SHARE = 0.3


def parse_options():
    parser = argparse.ArgumentParser(description="Compare learners over several splits.")
    for name in ("data", "treatment", "control", "arm", "outcome", "features"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--learners", default="s,t,x,r,dr")
    parser.add_argument("--base", default="xgboost")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--program", default="build/release/redress")
    return parser.parse_args()


def write_rows(path, names, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def qini(options, folder, learner, test):
    """Train on folder/train.csv, judge on folder/test.csv, whose rows are test."""
    model, scored = os.path.join(folder, learner), os.path.join(folder, "scored.csv")
    run(options.program, "train", "--data", os.path.join(folder, "train.csv"),
        "--treatment", options.treatment, "--control", options.control,
        "--outcome", options.outcome, "--features", options.features, "--randomised",
        "--learner", learner, "--base", options.base, "--quick", "--output", model)
    scores = run(options.program, "model", "score", model, "--rows",
                 os.path.join(folder, "test.csv")).split("\n")[1:]
    write_rows(scored, ["score", "treated", "outcome"],
               [[score, int(row[options.treatment] == options.arm), row[options.outcome]]
                for score, row in zip(scores, test)])
    found = run(options.program, "evaluate", "uplift", "--data", scored, "--score", "score",
                "--treatment", "treated", "--outcome", "outcome", "--json")
    return json.loads(found)["qini"]


def one_split(options, names, rows, split):
    with tempfile.TemporaryDirectory() as folder:
        is_test = [zlib.crc32(f"{split}:{i}".encode()) / 2**32 < TEST_SHARE
                   for i in range(len(rows))]
        for name, side in (("train", False), ("test", True)):
            write_rows(os.path.join(folder, f"{name}.csv"), names,
                       [row.values() for row, test in zip(rows, is_test) if test == side])
        test = [row for row, is_in in zip(rows, is_test) if is_in]
        return {learner: qini(options, folder, learner, test)
                for learner in options.learners.split(",")}


def mean_and_deviation(values):
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / max(len(values) - 1, 1))


def main():
    options = parse_options()
    with open(options.data, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader
                if row[options.treatment] in (options.control, options.arm)]
        names = reader.fieldnames
    found = [one_split(options, names, rows, split) for split in range(1, options.splits + 1)]
    means = {learner: mean_and_deviation([one[learner] for one in found])
             for learner in found[0]}
    best = max(means, key=lambda learner: means[learner][0])
    print(f"Qini on {options.splits} splits of {len(rows)} rows, {options.arm}")
    print("learner    mean      sd    behind      se")
    for learner, (mean, deviation) in means.items():
        behind, spread = mean_and_deviation([one[best] - one[learner] for one in found])
        error = spread * math.sqrt(1 / options.splits + TEST_SHARE / (1 - TEST_SHARE))
        print(f"{learner:<8}{mean:8.4f}{deviation:8.4f}{behind:10.4f}{error:8.4f}"
              f"  {'best' if learner == best else 'worse' if behind > 2 * error else 'noise'}")


if __name__ == "__main__":
    main()
