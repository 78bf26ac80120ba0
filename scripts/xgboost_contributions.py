#!/usr/bin/python3
"""Train models with XGBoost and write what it says each feature contributes, for
tests/integration/test_contributions_parity.

Usage: xgboost_contributions.py FOLDER [SEED]. One folder per case: model.json, X.csv (no header),
contribs.csv: a line per row and group, groups of a row together, the base last. Exit 77 when
XGBoost for Python is not installed.
"""
import pathlib
import sys

try:
    import numpy
    import xgboost
except ImportError:
    sys.exit(77)

ROWS, SCORED_ROWS, FEATURES, ROUNDS = 500, 80, 6, 15

# name, objective, more parameters
CASES = [
    ("squarederror", "reg:squarederror", {"base_score": 0.3}),
    ("logistic", "binary:logistic", {"base_score": 0.2}),
    ("poisson", "count:poisson", {"base_score": 2.5}),
    ("softprob", "multi:softprob", {"num_class": 4}),
    ("softmax", "multi:softmax", {"num_class": 3, "num_parallel_tree": 2, "subsample": 0.6}),
    ("dart", "binary:logistic", {"booster": "dart", "rate_drop": 0.4}),
    ("dart_softprob", "multi:softprob", {"booster": "dart", "rate_drop": 0.4, "num_class": 3}),
    ("forest", "reg:squarederror", {"num_parallel_tree": 5, "subsample": 0.6, "eta": 1}),
    ("deep", "reg:squarederror", {"max_depth": 12, "min_child_weight": 0}),
    ("lossguide", "binary:logistic", {"grow_policy": "lossguide", "max_leaves": 20,
                                      "tree_method": "hist", "max_depth": 0}),
    ("pruned", "reg:squarederror", {"gamma": 3.0, "tree_method": "exact"}),
    ("categories", "reg:squarederror", {"tree_method": "hist", "max_cat_to_onehot": 1}),
    ("one_hot", "binary:logistic", {"tree_method": "hist", "max_cat_to_onehot": 100}),
    ("stump", "reg:squarederror", {"max_depth": 1}),
    ("constant", "reg:squarederror", {"gamma": 1e12}),
    ("linear", "reg:squarederror", {"booster": "gblinear", "base_score": 0.3}),
    ("linear_softprob", "multi:softprob", {"booster": "gblinear", "num_class": 3}),
]


def labels(objective, signal, classes, rng):
    if objective.startswith("multi"):
        edges = numpy.quantile(signal, numpy.linspace(0, 1, classes + 1)[1:-1])
        return numpy.digitize(signal, edges)
    if objective.startswith("binary"):
        return (signal > 0).astype(float)
    if objective == "count:poisson":
        return rng.poisson(numpy.exp(numpy.clip(signal, -2, 2))).astype(float)
    return signal


def rows_of(count, has_categories, rng):
    rows = rng.normal(size=(count, FEATURES)).astype(numpy.float32)
    rows[:, 2] = numpy.round(rows[:, 2] * 2)
    if has_categories:
        rows[:, 3] = rng.integers(0, 40, count)
        rows[:, 4] = rng.integers(0, 5, count)
    signal = rows[:, 0] + numpy.sin(rows[:, 1]) + 0.5 * rows[:, 2] * (rows[:, 0] > 0)
    signal = signal + (rows[:, 3] % 3 == 1) + 0.1 * rng.normal(size=count)
    rows[rng.random(rows.shape) < 0.1] = numpy.nan
    return rows, signal


def write(path, table):
    with open(path, "w", encoding="ascii") as out:
        for row in numpy.asarray(table, dtype=float):
            out.write(",".join("%.17g" % x for x in row) + "\n")


def run(folder, index, name, objective, parameters, seed):
    rng = numpy.random.default_rng([seed, index])
    has_categories = name in ("categories", "one_hot")
    kinds = ["q", "q", "q", "c", "c", "q"] if has_categories else None
    rows, signal = rows_of(ROWS, has_categories, rng)
    label = labels(objective, signal, parameters.get("num_class", 0), rng)
    data = xgboost.DMatrix(rows, label, feature_types=kinds, enable_categorical=has_categories)
    settings = {"objective": objective, "max_depth": 5, "eta": 0.3, "seed": seed, "nthread": 1,
                "verbosity": 0}
    settings.update(parameters)
    booster = xgboost.train(settings, data, ROUNDS)
    path = folder / name
    path.mkdir(parents=True)
    booster.save_model(path / "model.json")
    scored = rows_of(SCORED_ROWS, has_categories, rng)[0]
    scored[-1] = numpy.nan
    scored[-2] = 0.0
    asked = xgboost.DMatrix(scored, feature_types=kinds, enable_categorical=has_categories)
    write(path / "X.csv", scored)
    contribs = booster.predict(asked, pred_contribs=True)
    write(path / "contribs.csv", contribs.reshape(-1, FEATURES + 1))


def main():
    folder = pathlib.Path(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for index, (name, objective, parameters) in enumerate(CASES):
        run(folder, index, name, objective, parameters, seed)
    print("XGBoost", xgboost.__version__, len(CASES), "models, SEED =", seed)


main()
