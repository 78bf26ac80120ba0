#!/usr/bin/python3
"""Train the two sample models on a made log of refund cases, and judge them.

credit_uplift, the champion: boosted trees, one file per credit, each the effect of that
credit over none. credit_linear: the same from linear models, small enough to read.

Both learn from doubly robust pseudo-outcomes (Kennedy, "Towards optimal doubly robust
estimation of heterogeneous causal effects", 2023): an outcome model over features and
credit, fitted on the other folds, plus the weighted residual of what was observed. Two
things keep their noise down: rows count by the inverse of their estimated noise, and
the residual counts for a part only (CORRECTION), which trades a little bias of the
outcome model for much variance.

    make
    scripts/train_demo_models.py                 train, report, write models/
    scripts/train_demo_models.py --check         train, report, compare with models/

The log, and the fresh cases to judge by, are of redress generate.

Exit 1 when the champion does not beat the best constant credit by at least 0.55 of what
perfect knowledge would, or when --check finds other bytes.
"""
import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile

import uplift_bundle as bundle  # first: it settles threads before numpy is loaded

import numpy as np
import xgboost

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

DOSES = (500, 1000, 1500, 2000)
COST_SHARE = 0.9  # of a credit: one in ten is never used

# name, type; the order is that of the bundles and of the log.
FEATURES = [
    ("tenure_days", "float"),
    ("orders_90d", "float"),
    ("avg_order_minor", "float"),
    ("claims_90d", "float"),
    ("credits_90d_minor", "float"),
    ("minutes_late", "float"),
    ("items_missing", "float"),
    ("days_since_order", "float"),
    ("last_rating", "float"),
    ("discount_share", "float"),
    ("contacts", "float"),
    ("app_sessions_7d", "float"),
    ("is_member", "bool"),
    ("channel", "category"),
    ("issue", "category"),
]
CATEGORIES = {
    "channel": ["chat", "phone", "app"],
    "issue": ["late_delivery", "missing_item", "damaged_item", "wrong_item", "quality"],
}
FEATURE_NAMES = [name for name, _ in FEATURES]

LOG_SEED, LOG_CASES = 1, 60000
TEST_SEED, TEST_CASES = 1002, 40000
EXAMPLE_SEED, EXAMPLE_CASES = 2001, 20
SHARE_OF_ORACLE_MIN = 0.55
CORRECTION = 0.5
RIDGE = 50.0

OUTCOME_TREES = dict(rounds=250, max_depth=5, eta=0.06, min_child_weight=60,
                     subsample=0.7, colsample_bytree=0.8, reg_lambda=5)
NOISE_TREES = dict(rounds=80, max_depth=3, eta=0.1, min_child_weight=100)
EFFECT_TREES = dict(rounds=200, max_depth=6, eta=0.03, min_child_weight=300,
                    subsample=0.6, colsample_bytree=0.7, reg_lambda=20)

AMOUNTS = (0,) + DOSES


def code_of(name, text):
    """A cell of the log as a number: categories are their place in the list."""
    if text == "":
        return np.nan
    if text in ("true", "false"):
        return float(text == "true")
    return CATEGORIES[name].index(text) if name in CATEGORIES else float(text)


class World:
    """A log of redress generate and its truth as columns: arrays over (case), or over
    (case, arm) with none as arm 0."""

    def __init__(self, program, case_count, seed):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([program, "generate", "log", "--cases", str(case_count), "--seed",
                            str(seed), "--output", f"{folder}/log.csv", "--truth",
                            f"{folder}/truth.csv"], check=True, stdout=subprocess.DEVNULL)
            self._read_log(f"{folder}/log.csv")
            self._read_truth(f"{folder}/truth.csv")

    def _read_log(self, path):
        with open(path, encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        self._exact = np.array([[code_of(name, line[name]) for name in FEATURE_NAMES]
                                for line in lines])
        self.credit = np.array([int(line["credit"]) for line in lines])
        self.arm = np.searchsorted(AMOUNTS, self.credit)
        self.propensity = np.array([float(line["propensity"]) for line in lines])
        self.outcome = np.array([float(line["value_90d"]) for line in lines])

    def _read_truth(self, path):
        with open(path, encoding="utf-8", newline="") as file:
            self.effects = np.array([[float(line[f"effect_{dose}"]) for dose in DOSES]
                                     for line in csv.DictReader(file)])

    def exact_rows(self):
        """Features as they are sent, (case, feature); a missing value is NaN."""
        return self._exact

    def rows(self):
        """The same in float32, which is how boosted trees read them."""
        return self._exact.astype(np.float32)

    def net_values(self):
        """True effect less expected cost, (case, arm)."""
        cost = COST_SHARE * np.array(DOSES, dtype=float)
        return np.column_stack([np.zeros(len(self.effects)), self.effects - cost])


def cases_of(program, case_count, seed):
    """The same cases as POST /v1/decisions takes them."""
    done = subprocess.run([program, "generate", "cases", "--cases", str(case_count), "--seed",
                           str(seed)], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def with_dose(rows, dose):
    dose = np.broadcast_to(np.asarray(dose, dtype=np.float32), (len(rows),))
    return np.column_stack([rows, dose])


def expected_outcomes(log, rows, folds):
    """Cross-fitted E[outcome | features, amount], (case, amount)."""
    names = FEATURE_NAMES + ["credit"]
    outcomes = np.zeros((len(rows), len(AMOUNTS)))
    for fold in range(bundle.FOLD_COUNT):
        inside, outside = folds == fold, folds != fold
        booster = bundle.train_trees(with_dose(rows[outside], log.credit[outside]),
                                     log.outcome[outside], names=names, seed=11,
                                     **OUTCOME_TREES)
        for j, amount in enumerate(AMOUNTS):
            outcomes[inside, j] = bundle.margins(booster, with_dose(rows[inside], amount))
    return outcomes


def precisions(residual, rows, folds):
    """Cross-fitted inverse variance of the outcome, mean 1, (case)."""
    log_variance = np.zeros(len(rows))
    target = np.log(residual ** 2 + 1e4)
    for fold in range(bundle.FOLD_COUNT):
        inside, outside = folds == fold, folds != fold
        booster = bundle.train_trees(rows[outside], target[outside], names=FEATURE_NAMES,
                                     seed=12, **NOISE_TREES)
        log_variance[inside] = bundle.margins(booster, rows[inside])
    variance = np.exp(log_variance)
    precision = 1 / np.maximum(variance, np.quantile(variance, 0.05))
    return precision / precision.mean()


def pseudo_outcomes(log, rows):
    """-> pseudo-outcomes of every credit's effect (case, dose), weights (case)."""
    folds = bundle.folds_of(len(rows), LOG_SEED)
    expected = expected_outcomes(log, rows, folds)
    residual = log.outcome - expected[np.arange(len(rows)), log.arm]
    weight = precisions(residual, rows, folds)
    got = log.arm[:, None] == np.arange(len(AMOUNTS))
    corrected = expected + CORRECTION * got * (residual / log.propensity)[:, None]
    return corrected[:, 1:] - corrected[:, :1], weight


def train_effect_trees(rows, pseudo, weight):
    return [
        bundle.train_trees(rows, pseudo[:, j], weight=weight, names=FEATURE_NAMES,
                           seed=21 + j, **EFFECT_TREES)
        for j in range(len(DOSES))
    ]


class Ridge:
    """Weighted ridge regression on standardised columns; a missing value is the mean.
    Categories have no order to be linear in: their weights are 0."""

    def __init__(self, rows, pseudo, weight):
        usable = np.array([name not in CATEGORIES for name in FEATURE_NAMES])
        self.fill = np.where(usable, np.nanmean(rows.astype(float), axis=0), 0)
        filled = np.where(np.isnan(rows), self.fill, rows.astype(float))[:, usable]
        mean = np.average(filled, axis=0, weights=weight)
        deviation = np.sqrt(np.average((filled - mean) ** 2, axis=0, weights=weight))
        scaled = (filled - mean) / deviation
        target_mean = np.average(pseudo, axis=0, weights=weight)
        gram = (scaled * weight[:, None]).T @ scaled + RIDGE * np.eye(scaled.shape[1])
        right = (scaled * weight[:, None]).T @ (pseudo - target_mean)
        slopes = np.linalg.solve(gram, right) / deviation[:, None]
        self.weights = np.zeros((len(FEATURE_NAMES), len(DOSES)))
        self.weights[usable] = slopes
        self.intercepts = target_mean - mean @ slopes

    def effects(self, rows):
        filled = np.where(np.isnan(rows), self.fill, rows)
        return filled @ self.weights + self.intercepts


def tree_effects(boosters, rows):
    return np.column_stack([bundle.margins(booster, rows) for booster in boosters])


def policy_value(test, effects):
    """True net value per case of the credit with the best predicted net value."""
    cost = COST_SHARE * np.array(DOSES)
    net = np.column_stack([np.zeros(len(effects)), effects - cost])
    choice = np.argmax(net, axis=1)
    return test.net_values()[np.arange(len(effects)), choice].mean(), choice


def quality(test, effects):
    """Facts on estimated against true effects of fresh cases, for manifest and report."""
    true = test.effects
    correlation = [np.corrcoef(e, t)[0, 1] for e, t in zip(effects.T, true.T)]
    sqrt_pehe = np.sqrt(((effects - true) ** 2).mean(axis=0))
    return {
        "correlation": [round(float(c), 4) for c in correlation],
        "sqrt_pehe": [round(float(p), 1) for p in sqrt_pehe],
    }


class Report:
    def __init__(self, test):
        self.test = test
        net = test.net_values()
        self.constant = net.mean(axis=0)
        self.best_constant = float(self.constant.max())
        self.oracle = float(net.max(axis=1).mean())

    def share_of_oracle(self, value):
        return (value - self.best_constant) / (self.oracle - self.best_constant)

    def print(self, policies):
        best = AMOUNTS[int(np.argmax(self.constant))]
        print(f"trained on {LOG_CASES} cases of seed {LOG_SEED}, "
              f"judged on {TEST_CASES} cases of seed {TEST_SEED}\n")
        print("policy at price 0     net value  of oracle's  none"
              "   500  1000  1500  2000")
        print("                       per case         gain")
        everyone = {amount: np.full(TEST_CASES, j) for j, amount in enumerate(AMOUNTS)}
        self._line("no credit", 0.0, everyone[0])
        self._line(f"{best} for everyone", self.best_constant, everyone[best])
        for name, effects in policies:
            self._line(name, *policy_value(self.test, effects))
        self._line("oracle", self.oracle, np.argmax(self.test.net_values(), axis=1))
        print("\neffect model     correlation with the truth     root mean square error")
        print("                 500   1000   1500   2000       500  1000  1500  2000")
        for name, effects in policies:
            facts = quality(self.test, effects)
            correlations = "  ".join(f"{c:5.3f}" for c in facts["correlation"])
            errors = " ".join(f"{p:5.0f}" for p in facts["sqrt_pehe"])
            print(f"{name:<15} {correlations}     {errors}")

    def _line(self, name, value, choice):
        shares = np.bincount(choice, minlength=len(AMOUNTS)) / len(choice)
        parts = " ".join(f"{share:5.0%}" for share in shares)
        print(f"{name:<21} {value:9.1f} {self.share_of_oracle(value):12.3f} {parts}")


def manifest_of(name, description, suffix, report, effects, examples):
    entries = bundle.feature_entries(FEATURE_NAMES, dict(FEATURES), CATEGORIES)
    sent = [dict.fromkeys(FEATURE_NAMES) | case["features"] for case in examples["cases"]]
    value, _ = policy_value(report.test, effects)
    return {
        "format": "redress-bundle/1",
        "name": name,
        "description": description,
        "kind": "effect",
        "learner": "dr",
        "dose_unit": "minor",
        "features": entries,
        "arms": [{"name": f"credit_{dose}", "dose": dose} for dose in DOSES],
        "components": [
            {"role": "tau", "arm": f"credit_{dose}", "file": f"credit_{dose}.{suffix}"}
            for dose in DOSES
        ],
        "value": {"scale": 1},
        "cost": {"share": COST_SHARE},
        "training": {
            "script": "scripts/train_demo_models.py",
            "xgboost": xgboost.__version__,
            "log": {"command": "redress generate log", "seed": LOG_SEED,
                    "rows": LOG_CASES},
            "outcome": "value_90d",
            "test": {
                "seed": TEST_SEED,
                "rows": TEST_CASES,
                **quality(report.test, effects),
                "net_value_per_case": round(float(value), 2),
                "share_of_oracle": round(float(report.share_of_oracle(value)), 4),
            },
        },
        "examples": {"rows": sent, "effects": examples["effects"]},
    }


def differences(folder, manifest, files):
    """Names of the files in folder that are not what was trained just now."""
    expected = {**files, "manifest.json": bundle.manifest_text(manifest).encode()}
    different = []
    for name, content in expected.items():
        path = os.path.join(folder, name)
        if not os.path.exists(path) or open(path, "rb").read() != content:
            different.append(path)
    return different


def main():
    parser = argparse.ArgumentParser(description="Train and judge the sample models.")
    parser.add_argument("--output", default=os.path.join(ROOT, "models"), metavar="DIR")
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/redress"))
    parser.add_argument("--check", action="store_true",
                        help="write nothing; exit 1 unless DIR holds these very bytes")
    options = parser.parse_args()

    if not os.access(options.program, os.X_OK):
        sys.exit(f"train_demo_models: no program {options.program}: run 'make' first")
    log = World(options.program, LOG_CASES, LOG_SEED)
    test = World(options.program, TEST_CASES, TEST_SEED)
    rows = log.rows()
    pseudo, weight = pseudo_outcomes(log, rows)
    boosters = train_effect_trees(rows, pseudo, weight)
    ridge = Ridge(rows, pseudo, weight)

    tree_predictions = tree_effects(boosters, test.rows())
    linear_predictions = ridge.effects(test.rows())
    report = Report(test)
    report.print([("credit_uplift", tree_predictions),
                  ("credit_linear", linear_predictions)])
    value, _ = policy_value(test, tree_predictions)
    if report.share_of_oracle(value) < SHARE_OF_ORACLE_MIN:
        sys.exit(f"credit_uplift: less than {SHARE_OF_ORACLE_MIN} of the oracle's gain "
                 "over the best constant credit")

    shown = World(options.program, EXAMPLE_CASES, EXAMPLE_SEED)
    cases = cases_of(options.program, EXAMPLE_CASES, EXAMPLE_SEED)
    trees = {f"credit_{dose}.json": bundle.model_bytes(booster)
             for dose, booster in zip(DOSES, boosters)}
    linear = {
        f"credit_{dose}.linear.json": bundle.linear_bytes(
            FEATURE_NAMES, ridge.weights[:, j], ridge.intercepts[j], ridge.fill)
        for j, dose in enumerate(DOSES)
    }
    manifests = [
        (manifest_of("credit_uplift", "Effect of a credit on 90-day value: boosted "
                     "trees, one file per credit.", "json", report, tree_predictions,
                     {"cases": cases,
                      "effects": tree_effects(boosters, shown.rows()).tolist()}), trees),
        (manifest_of("credit_linear", "Effect of a credit on 90-day value: a linear "
                     "model per credit.", "linear.json", report, linear_predictions,
                     {"cases": cases,
                      "effects": ridge.effects(shown.exact_rows()).tolist()}), linear),
    ]
    print()
    different = []
    for manifest, files in manifests:
        folder = os.path.join(options.output, manifest["name"])
        kilobytes = sum(len(content) for content in files.values()) // 1024
        if options.check:
            different += differences(folder, manifest, files)
        else:
            bundle.write_bundle(folder, manifest, files)
            print(f"wrote {os.path.relpath(folder)}: {len(files)} files, {kilobytes} KB")
    if different:
        sys.exit("other bytes than trained just now: " + ", ".join(different))


if __name__ == "__main__":
    main()
