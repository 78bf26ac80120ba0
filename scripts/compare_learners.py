#!/usr/bin/python3
"""Compare learners of `redress train` on a randomised experiment, over several splits.

    compare_learners.py --data ../shared/data/hillstrom/hillstrom.csv --treatment segment \\
        --control "No E-Mail" --arm "Womens E-Mail" --outcome visit \\
        --features recency,history_segment,history,mens,womens,zip_code,newbie,channel

Several --arm are taken for one treatment. Each split trains on 70 % of the rows of the arm and the
control, drawn by a hash of the row's number and the split, and measures the Qini coefficient
(`redress evaluate uplift`) on the rest: 0 is what a ranking by chance has.

Splits overlap, and so say less than as many samples would: the error of a mean over n splits is
sd sqrt(1/n + test share / training share) (Nadeau and Bengio 2003), and intervals are by Student's t
with n - 1 degrees of freedom. Each learner's mean is compared with 0, and, on the same splits, with the
learner that came out best. That one was picked by the same numbers, so that the intervals of these
differences are wide enough for all pairs of learners together (Bonferroni). An interval that holds 0
is noise. All this is exact for the luck of the rows that are judged on; with as much luck in learning, 0.1 of
the intervals miss instead of 0.05 (tests/integration/noise_rule.py).
"""
import argparse
import csv
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import zlib

TEST_SHARE = 0.3
LEVEL = 0.95


def parse_options():
    parser = argparse.ArgumentParser(description="Compare learners over several splits.")
    for name in ("data", "treatment", "control", "outcome", "features"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--arm", required=True, action="append", help="again for further ones")
    parser.add_argument("--learners", default="s,t,x,r,dr")
    parser.add_argument("--base", default="xgboost")
    parser.add_argument("--splits", type=int, default=10, help="at least 3 (default 10)")
    parser.add_argument("--program", default="build/release/redress")
    options = parser.parse_args()
    if options.splits < 3:
        parser.error("--splits: fewer than 3 say nothing about chance")
    return options


# ---- one split ----


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
               [[score, int(row[options.treatment] != options.control), row[options.outcome]]
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


# ---- over all of them ----


def student(probability, freedom):
    """The quantile of Student's t: Abramowitz and Stegun (1964), 26.7.5. Too small, by at most 7 % at 2
    degrees, 2 % at 3 and 0.5 % from 4 on, as far as it is used here."""
    z = statistics.NormalDist().inv_cdf(probability)
    return (z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
            + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * freedom**4))


def interval(values, shared_by=1):
    """Of the mean of values over splits; one of so many that shall hold together."""
    error = statistics.stdev(values) * math.sqrt(
        1 / len(values) + TEST_SHARE / (1 - TEST_SHARE))
    mean = statistics.fmean(values)
    reach = student(1 - (1 - LEVEL) / 2 / shared_by, len(values) - 1) * error
    return mean - reach, mean + reach


def compare(found):
    """found: learner -> Qini of each split. -> learner -> mean, its interval, behind the best, the
    interval of that, and the word for it."""
    best = max(found, key=lambda learner: statistics.fmean(found[learner]))
    pairs = max(len(found) * (len(found) - 1) // 2, 1)
    answer = {}
    for learner, values in found.items():
        behind = [a - b for a, b in zip(found[best], values)]
        low, high = interval(behind, pairs)
        answer[learner] = {
            "mean": statistics.fmean(values), "ci": interval(values), "sd": statistics.stdev(values),
            "behind": statistics.fmean(behind), "behind_ci": (low, high),
            "word": "best" if learner == best else "worse" if low > 0 else "noise"}
    return answer


def main():
    options = parse_options()
    with open(options.data, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader
                if row[options.treatment] in (options.control, *options.arm)]
        names = reader.fieldnames
    treated = " or ".join(options.arm)
    for row in rows:
        if row[options.treatment] != options.control:
            row[options.treatment] = treated
    splits = [one_split(options, names, rows, split) for split in range(1, options.splits + 1)]
    found = {learner: [split[learner] for split in splits] for learner in splits[0]}
    print(f"Qini on {options.splits} splits of {len(rows)} rows, {treated}")
    print("learner    mean             95 %      sd   behind         together 95 %")
    for learner, row in compare(found).items():
        behind = f"{row['behind']:9.4f}  [{row['behind_ci'][0]:7.4f},{row['behind_ci'][1]:7.4f}]"
        print(f"{learner:<8}{row['mean']:7.4f}  [{row['ci'][0]:7.4f},{row['ci'][1]:7.4f}]"
              f"{row['sd']:8.4f}{'' if row['word'] == 'best' else behind:>29}  {row['word']}"
              f"{', not told from chance' if row['ci'][0] <= 0 else ''}")


if __name__ == "__main__":
    main()
