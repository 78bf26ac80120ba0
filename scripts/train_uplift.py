#!/usr/bin/python3
"""Train an uplift bundle with xgboost from the CSV of a randomised experiment.

    train_uplift.py --data F.csv --treatment segment --control "No E-Mail" \\
        --treated "Womens E-Mail" --dose 500 --outcome visit --scale 1000 \\
        --features recency,history,mens,womens,zip_code,newbie,channel \\
        --rows-file train.txt --name visit_uplift --output models/visit_uplift

Text columns become categories: a code per value, in order of the alphabet. An empty field
or nan is a missing value. Rows with another treatment, or without an outcome, are dropped
and counted. Each treated value is one arm; within an arm and the control the treatment
has to be drawn with a probability that does not depend on the features.

Learners (outcome models are cross-fitted over five folds):
  t   mu0 and mu1, the expected outcome without and with treatment; for an outcome of 0
      and 1 both are logistic
  x   tau, fitted to the imputed effects of treated and control rows together
  dr  tau, fitted to doubly robust pseudo-outcomes

Effects of people are small beside the noise of their outcomes. The defaults therefore
are few shallow trees whose leaves hold at least 1/40 of the rows.

With --rows-file the rows not listed are held out, and the model is judged on them.
"""
import argparse
import csv
import math
import sys

import uplift_bundle as bundle  # first: it settles threads before numpy is loaded

import numpy as np
import xgboost

OUTCOME_TREES = dict(rounds=60, max_depth=3, eta=0.08, min_child_weight=50, subsample=0.7,
                     colsample_bytree=0.7, reg_lambda=10)
ETA = 0.03
LEAF_SHARE = 1 / 40
EXAMPLE_COUNT = 20
TOP_SHARE = 0.3


class UsageError(Exception):
    pass


class Table:
    """The columns asked for, of the rows that can be used."""

    def __init__(self, options):
        self.features = options.features.split(",")
        self.treated = next(csv.reader([options.treated]))
        self.dropped = {"with another treatment": 0, "without an outcome": 0}
        values = {name: [] for name in self.features}
        outcomes, arms, self.file_row = [], [], []
        arm_of = {options.control: 0}
        arm_of.update((value, k + 1) for k, value in enumerate(self.treated))

        with open(options.data, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            asked = [*self.features, options.treatment, options.outcome]
            unknown = [name for name in asked if name not in (reader.fieldnames or [])]
            if unknown:
                raise UsageError(f"{options.data} has no column {', '.join(unknown)}")
            for i, row in enumerate(reader):
                arm = arm_of.get(row[options.treatment])
                if arm is None:
                    self.dropped["with another treatment"] += 1
                elif is_missing(row[options.outcome]):
                    self.dropped["without an outcome"] += 1
                else:
                    for name in self.features:
                        values[name].append(row[name])
                    outcomes.append(float(row[options.outcome]))
                    arms.append(arm)
                    self.file_row.append(i)

        self.outcome, self.arm = np.array(outcomes), np.array(arms)
        self.types, self.categories = {}, {}
        columns = [self._codes(name, values[name]) for name in self.features]
        self.rows = np.column_stack(columns)
        self.is_binary = bool(np.isin(self.outcome, (0, 1)).all())

    def _codes(self, name, texts):
        try:
            column = [math.nan if is_missing(text) else float(text) for text in texts]
            self.types[name] = "float"
        except ValueError:
            listed = sorted({text for text in texts if not is_missing(text)})
            code = {text: i for i, text in enumerate(listed)}
            column = [code.get(text, math.nan) for text in texts]
            self.types[name] = "category"
            self.categories[name] = listed
        return np.array(column, dtype=float)

    def chosen(self, path):
        """Which rows to train on: those whose number in the file is listed in path."""
        if not path:
            return np.full(len(self.arm), True)
        with open(path, encoding="utf-8") as file:
            listed = {int(word) for word in file.read().replace(",", " ").split()}
        return np.array([row in listed for row in self.file_row])


def is_missing(text):
    return text is None or text.strip() == "" or text.strip().lower() == "nan"


class Learner:
    """Trains the models of one arm on the rows of the arm and of the control."""

    def __init__(self, table, options):
        self.names = table.features
        self.seed = options.seed
        self.is_binary = table.is_binary
        self.effect_trees = dict(rounds=options.trees, max_depth=options.depth, eta=ETA,
                                 subsample=0.7, colsample_bytree=0.7, reg_lambda=10)

    def fit(self, rows, target, seed, **settings):
        return bundle.train_trees(rows.astype(np.float32), target, names=self.names,
                                  seed=self.seed * 1000 + seed, **settings)

    def outcomes(self, rows, treated, outcome):
        """Cross-fitted expected outcomes (row), without and with treatment."""
        folds = bundle.folds_of(len(rows), self.seed)
        expected = [np.zeros(len(rows)), np.zeros(len(rows))]
        for fold in range(bundle.FOLD_COUNT):
            inside = folds == fold
            for side in (0, 1):
                used = ~inside & (treated == side)
                booster = self.fit(rows[used], outcome[used], 2 * fold + side,
                                   **OUTCOME_TREES)
                expected[side][inside] = margins(booster, rows[inside])
        return expected

    def effect(self, learner, rows, treated, outcome):
        mu0, mu1 = self.outcomes(rows, treated, outcome)
        if learner == "x":
            pseudo = np.where(treated, outcome - mu0, mu1 - outcome)
        else:
            share = treated.mean()
            pseudo = mu1 - mu0 + np.where(treated, (outcome - mu1) / share,
                                          -(outcome - mu0) / (1 - share))
        return self.fit(rows, pseudo, 101, min_child_weight=LEAF_SHARE * len(rows),
                        **self.effect_trees)

    def outcome(self, rows, outcome, seed):
        """The outcome of one side for a T-learner."""
        settings = dict(self.effect_trees)
        weight = LEAF_SHARE * len(rows)
        if self.is_binary:
            # A logistic leaf weighs p (1 - p) for each of its rows.
            settings["objective"] = "binary:logistic"
            weight *= outcome.mean() * (1 - outcome.mean())
        return self.fit(rows, outcome, seed, min_child_weight=weight, **settings)


def margins(booster, rows):
    return bundle.margins(booster, rows.astype(np.float32)).astype(float)


def train_tau(table, used, options):
    """-> components, files, effects(rows) (row, arm)."""
    learner = Learner(table, options)
    boosters, components, files = [], [], {}
    for k, arm in enumerate(table.treated):
        pair = used & ((table.arm == 0) | (table.arm == k + 1))
        boosters.append(learner.effect(options.learner, table.rows[pair],
                                       table.arm[pair] > 0, table.outcome[pair]))
        files[f"tau_{k + 1}.json"] = bundle.model_bytes(boosters[-1])
        components.append({"role": "tau", "arm": arm, "file": f"tau_{k + 1}.json"})

    def effects(rows):
        return np.column_stack([margins(booster, rows) for booster in boosters])

    return components, files, effects


def train_t(table, used, options):
    """-> components, files, effects(rows) (row, arm)."""
    learner = Learner(table, options)
    link = "sigmoid" if table.is_binary else "identity"
    boosters, components, files = [], [], {}
    for k, arm in enumerate(["", *table.treated]):
        side = used & (table.arm == k)
        boosters.append(learner.outcome(table.rows[side], table.outcome[side], 200 + k))
        name = f"mu_{k}.json"
        files[name] = bundle.model_bytes(boosters[-1])
        component = {"role": "mu1", "arm": arm} if k else {"role": "mu0"}
        components.append({**component, "file": name, "link": link})

    def effects(rows):
        raw = np.column_stack([margins(booster, rows) for booster in boosters])
        expected = 1 / (1 + np.exp(-raw)) if table.is_binary else raw
        return expected[:, 1:] - expected[:, :1]

    return components, files, effects


def qini(score, outcome, treated):
    """Qini coefficient of a 0/1 outcome, ties together: the area between the model's and
    the random curve, as a share of that of the perfect curve."""
    def curve(order_by):
        order = np.argsort(-order_by, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(order_by[order])), len(order) - 1)
        t, y = treated[order].astype(float), outcome[order]
        treated_count, gain = np.cumsum(t)[ends], np.cumsum(y * t)[ends]
        control_count, lost = ends + 1 - treated_count, np.cumsum(y * (1 - t))[ends]
        ratio = np.divide(treated_count, control_count, out=np.zeros(len(ends)),
                          where=control_count > 0)
        return np.append(0, ends + 1), np.append(0, gain - lost * ratio)

    count, model = curve(score)
    perfect_count, perfect = curve(np.where(treated, outcome, -outcome))
    diagonal = count[-1] * model[-1] / 2
    return ((np.trapz(model, count) - diagonal)
            / (np.trapz(perfect, perfect_count) - diagonal))


def lift(outcome, treated):
    """Treated mean less control mean, and its standard error."""
    sides = outcome[treated], outcome[~treated]
    if min(len(side) for side in sides) < 2:
        return math.nan, math.nan
    error = math.sqrt(sum(side.var(ddof=1) / len(side) for side in sides))
    return sides[0].mean() - sides[1].mean(), error


def print_report(table, held_out, effects, options):
    """Realised lift of the rows ranked highest, against as many rows drawn at random."""
    estimates = effects(table.rows[held_out])
    arm, outcome = table.arm[held_out], table.outcome[held_out]
    for k, name in enumerate(table.treated):
        pair = (arm == 0) | (arm == k + 1)
        score, y, treated = estimates[pair, k], outcome[pair], arm[pair] > 0
        count = int(TOP_SHARE * len(y))
        top = np.argsort(-score, kind="stable")[:count]
        some = np.random.default_rng(options.seed).permutation(len(y))[:count]
        print(f"{name}: {len(y)} rows held out")
        for label, chosen in ((f"top {TOP_SHARE:.0%} by effect", top),
                              (f"random {TOP_SHARE:.0%}", some),
                              ("all", slice(None))):
            value, error = lift(y[chosen], treated[chosen])
            print(f"  lift in {options.outcome}, {label:<18} "
                  f"{value:9.4f}  se {error:.4f}")
        if table.is_binary:
            print(f"  qini {qini(score, y, treated):.4f}")


def manifest_of(table, used, options, components, effects):
    entries = bundle.feature_entries(table.features, table.types, table.categories)
    step = used.sum() // EXAMPLE_COUNT
    rows = table.rows[used][::step][:EXAMPLE_COUNT]
    return {
        "format": "redress-bundle/1",
        "name": options.name,
        "kind": "effect",
        "learner": options.learner,
        "dose_unit": "minor",
        "features": entries,
        "arms": [{"name": name, "dose": dose}
                 for name, dose in zip(table.treated, options.doses)],
        "components": components,
        "value": {"scale": options.scale},
        "training": {
            "script": "scripts/train_uplift.py",
            "xgboost": xgboost.__version__,
            "rows": int(used.sum()),
            "treatment": options.treatment,
            "control": options.control,
            "outcome": options.outcome,
            "trees": options.trees,
            "depth": options.depth,
            "seed": options.seed,
        },
        "examples": {
            "rows": [bundle.example_row(row, entries) for row in rows],
            "effects": (effects(rows) * options.scale).tolist(),
        },
    }


def parse_options():
    parser = argparse.ArgumentParser(
        description="Train an uplift bundle from the CSV of a randomised experiment.")
    parser.add_argument("--data", required=True, metavar="F.csv")
    parser.add_argument("--treatment", required=True, metavar="COL")
    parser.add_argument("--control", required=True, metavar="VALUE")
    parser.add_argument("--treated", required=True, metavar="VALUE,..",
                        help="one arm each; quote a value that has a comma")
    parser.add_argument("--dose", required=True, metavar="N,..",
                        help="one per treated value")
    parser.add_argument("--outcome", required=True, metavar="COL")
    parser.add_argument("--features", required=True, metavar="COL,..")
    parser.add_argument("--rows-file", metavar="FILE",
                        help="numbers of the rows to train on, from 0; default all")
    parser.add_argument("--learner", choices=("t", "x", "dr"), default="dr")
    parser.add_argument("--trees", type=int, default=100, metavar="N")
    parser.add_argument("--depth", type=int, default=3, metavar="D")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--scale", type=float, default=1.0, metavar="N",
                        help="minor units that one unit of the outcome is worth")
    parser.add_argument("--name", required=True)
    parser.add_argument("--output", required=True, metavar="DIR")
    options = parser.parse_args()
    try:
        options.doses = [float(dose) for dose in options.dose.split(",")]
    except ValueError:
        parser.error("--dose takes numbers")
    if len(options.doses) != len(next(csv.reader([options.treated]))):
        parser.error("--dose takes one number per treated value")
    if min(options.doses) <= 0 or len(set(options.doses)) < len(options.doses):
        parser.error("doses are above 0 and differ")
    if options.trees < 1 or options.depth < 1 or options.seed < 0:
        parser.error("--trees and --depth are at least 1, --seed at least 0")
    return options


def main():
    options = parse_options()
    try:
        table = Table(options)
        used = table.chosen(options.rows_file)
    except (OSError, UsageError, ValueError) as error:
        sys.exit(f"train_uplift: {error}")
    for k, name in enumerate([options.control, *table.treated]):
        if (used & (table.arm == k)).sum() < 10 * bundle.FOLD_COUNT:
            sys.exit(f"train_uplift: too few rows of '{name}' to train on")

    train = train_t if options.learner == "t" else train_tau
    components, files, effects = train(table, used, options)
    manifest = manifest_of(table, used, options, components, effects)
    bundle.write_bundle(options.output, manifest, files)
    dropped = ", ".join(f"{count} {why}" for why, count in table.dropped.items() if count)
    print(f"trained {options.learner} on {used.sum()} rows"
          + (f"; dropped {dropped}" if dropped else ""))
    if not used.all():
        print_report(table, ~used, effects, options)


if __name__ == "__main__":
    main()
