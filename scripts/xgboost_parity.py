#!/usr/bin/python3
"""Train models with XGBoost and write what it scores, for tests/integration/test_xgboost_parity.

Usage: xgboost_parity.py FOLDER [SEED]. One folder per case: model.json and model.ubj, the same
model, X.csv (no header), raw.csv, pred.csv, leaf.csv and raw_2_7.csv (rounds 2 up to before 7) of trees. Half of the rows stand exactly
on thresholds of the model or one float beside them. Exit 77 when XGBoost for Python is not installed.
"""
import json
import pathlib
import sys

try:
    import numpy
    import xgboost
except ImportError:
    sys.exit(77)

ROWS, FEATURES, ROUNDS = 600, 6, 12

# name, objective, more parameters
CASES = [
    ("squarederror", "reg:squarederror", {"base_score": 0.3}),
    ("squaredlogerror", "reg:squaredlogerror", {}),
    ("absoluteerror", "reg:absoluteerror", {}),
    ("pseudohuber", "reg:pseudohubererror", {}),
    ("logistic", "binary:logistic", {"base_score": 0.2}),
    ("reg_logistic", "reg:logistic", {"base_score": 0.7}),
    ("logitraw", "binary:logitraw", {"base_score": 0.1}),
    ("hinge", "binary:hinge", {}),
    ("poisson", "count:poisson", {"base_score": 2.5}),
    ("gamma", "reg:gamma", {"base_score": 1.5}),
    ("tweedie", "reg:tweedie", {"base_score": 0.8}),
    ("cox", "survival:cox", {}),
    ("softprob", "multi:softprob", {"num_class": 4, "base_score": 0.25}),
    ("softmax", "multi:softmax", {"num_class": 3}),
    ("pairwise", "rank:pairwise", {}),
    ("dart", "binary:logistic", {"booster": "dart", "rate_drop": 0.4, "base_score": 0.3}),
    ("dart_softprob", "multi:softprob", {"booster": "dart", "rate_drop": 0.4, "num_class": 3}),
    ("forest", "reg:squarederror", {"num_parallel_tree": 3, "subsample": 0.6, "eta": 1}),
    ("forest_softprob", "multi:softprob", {"num_parallel_tree": 2, "subsample": 0.6, "num_class": 3}),
    ("deep", "reg:squarederror", {"max_depth": 12, "min_child_weight": 0}),
    ("lossguide", "binary:logistic", {"grow_policy": "lossguide", "max_leaves": 20,
                                      "tree_method": "hist", "max_depth": 0}),
    ("pruned", "reg:squarederror", {"gamma": 3.0, "tree_method": "exact"}),
    ("categories", "reg:squarederror", {"tree_method": "hist", "max_cat_to_onehot": 1}),
    ("one_hot", "binary:logistic", {"tree_method": "hist", "max_cat_to_onehot": 100}),
    ("aft", "survival:aft", {"base_score": 2.0}),
    ("ndcg", "rank:ndcg", {}),
    ("map", "rank:map", {}),
    ("multi_target", "reg:squarederror", {"targets": 3, "base_score": 0.1}),
    ("multi_label", "binary:logistic", {"targets": 2}),
    ("dart_weighted", "count:poisson", {"booster": "dart", "rate_drop": 0.5, "sample_type": "weighted",
                                        "normalize_type": "forest"}),
    ("categories_dart", "reg:squarederror", {"tree_method": "hist", "max_cat_to_onehot": 3,
                                             "booster": "dart", "rate_drop": 0.3}),
    ("categories_many", "multi:softprob", {"tree_method": "hist", "max_cat_to_onehot": 1,
                                           "num_class": 3, "max_depth": 8}),
    ("linear", "reg:squarederror", {"booster": "gblinear", "base_score": 0.3}),
    ("linear_logistic", "binary:logistic", {"booster": "gblinear", "updater": "coord_descent"}),
    ("linear_poisson", "count:poisson", {"booster": "gblinear", "eta": 0.05}),
    ("linear_softprob", "multi:softprob", {"booster": "gblinear", "num_class": 3}),
    ("linear_lambda", "reg:squarederror", {"booster": "gblinear", "lambda": 0.1, "alpha": 0.05}),
    ("stump", "reg:squarederror", {"max_depth": 1}),
    ("constant", "reg:squarederror", {"gamma": 1e12}),
]


def labels(objective, signal, classes, rng):
    if objective.startswith("multi"):
        edges = numpy.quantile(signal, numpy.linspace(0, 1, classes + 1)[1:-1])
        return numpy.digitize(signal, edges)
    if objective.startswith("binary") or objective == "reg:logistic":
        return (signal > 0).astype(float)
    if objective == "survival:cox":
        return numpy.where(rng.random(len(signal)) < 0.3, -1, 1) * numpy.exp(signal / 4)
    if objective == "rank:map":
        return (signal > 0).astype(float)
    if objective.startswith("rank"):
        return numpy.clip(numpy.round(signal + 2), 0, 4)
    if objective in ("count:poisson", "reg:tweedie"):
        return rng.poisson(numpy.exp(numpy.clip(signal, -2, 2))).astype(float)
    if objective in ("reg:gamma", "reg:squaredlogerror", "survival:aft"):
        return numpy.exp(numpy.clip(signal, -2, 2))
    return signal


def training_rows(has_categories, rng):
    rows = rng.normal(size=(ROWS, FEATURES)).astype(numpy.float32)
    rows[:, 1] *= 100
    rows[:, 2] = numpy.round(rows[:, 2] * 2)
    if has_categories:
        rows[:, 3] = rng.integers(0, 40, ROWS)
        rows[:, 4] = rng.integers(0, 5, ROWS)
    signal = rows[:, 0] + numpy.sin(rows[:, 1] / 50) + 0.5 * rows[:, 2] * (rows[:, 0] > 0)
    signal = signal + (rows[:, 3] % 3 == 1) + 0.1 * rng.normal(size=ROWS)
    rows[rng.random(rows.shape) < 0.08] = numpy.nan
    return rows, signal


def thresholds(model):
    """Per feature, the numeric split points of every tree."""
    booster = model["learner"]["gradient_booster"]
    if booster["name"] == "gblinear":
        return [[] for _ in range(FEATURES)]
    booster = booster.get("gbtree", booster)
    points = [[] for _ in range(FEATURES)]
    for tree in booster["model"]["trees"]:
        for left, feature, condition, kind in zip(tree["left_children"], tree["split_indices"],
                                                  tree["split_conditions"], tree["split_type"]):
            if left != -1 and kind == 0:
                points[feature].append(condition)
    return [numpy.array(p, dtype=numpy.float32) for p in points]


def scored_rows(rows, points, has_categories, rng):
    scored = rows[rng.integers(0, len(rows), 400)].copy()
    for feature in range(FEATURES):
        if not len(points[feature]):
            continue
        picked = rng.choice(points[feature], 200)
        side = rng.integers(-1, 2, 200)
        beside = numpy.where(side == 0, picked, numpy.nextafter(
            picked, numpy.where(side < 0, -numpy.inf, numpy.inf).astype(numpy.float32)))
        scored[:200, feature] = beside
    if has_categories:
        scored[:200, 3] = rng.integers(0, 60, 200)  # some never seen
        scored[:200, 4] = rng.integers(0, 8, 200)
    scored[-1] = numpy.nan
    scored[-2] = 0.0
    scored[-3] = -0.0
    scored[-4] = numpy.float32(1e-40)
    if any(len(p) for p in points) and not has_categories:
        scored[-5] = numpy.float32(3e38)  # gblinear would multiply it
    return scored


def write(path, table):
    table = numpy.asarray(table, dtype=float)
    table = table.reshape(len(table), -1)
    with open(path, "w", encoding="ascii") as out:
        for row in table:
            out.write(",".join("%.17g" % x for x in row) + "\n")


def run(folder, index, name, objective, parameters, seed):
    rng = numpy.random.default_rng([seed, index])
    parameters = dict(parameters)
    targets = parameters.pop("targets", 1)
    has_categories = name.startswith("categories") or name == "one_hot"
    is_linear = parameters.get("booster") == "gblinear"
    rows, signal = training_rows(has_categories, rng)
    kinds = ["q", "q", "q", "c", "c", "q"] if has_categories else None
    label = labels(objective, signal, parameters.get("num_class", 0), rng)
    if targets > 1:
        label = numpy.stack([label if i == 0 else numpy.roll(label, i) for i in range(targets)], 1)
    data = xgboost.DMatrix(rows, label, feature_types=kinds, enable_categorical=has_categories)
    if objective.startswith("rank"):
        data.set_group([20] * (ROWS // 20))
    if objective == "survival:aft":
        data.set_float_info("label_lower_bound", label)
        data.set_float_info("label_upper_bound", label * rng.choice([1.0, 2.0], ROWS))
    settings = {"objective": objective, "eta": 0.3, "seed": seed, "nthread": 1, "verbosity": 0}
    if not is_linear:
        settings["max_depth"] = 5
    settings.update(parameters)
    booster = xgboost.train(settings, data, ROUNDS)
    path = folder / name
    path.mkdir(parents=True)
    booster.save_model(path / "model.json")
    booster.save_model(path / "model.ubj")
    points = thresholds(json.loads((path / "model.json").read_text()))
    scored = scored_rows(rows, points, has_categories, rng)
    asked = xgboost.DMatrix(scored, feature_types=kinds, enable_categorical=has_categories)
    write(path / "X.csv", scored)
    write(path / "raw.csv", booster.predict(asked, output_margin=True))
    write(path / "pred.csv", booster.predict(asked))
    if not is_linear:
        write(path / "raw_2_7.csv", booster.predict(asked, output_margin=True, iteration_range=(2, 7)))
        write(path / "leaf.csv", booster.predict(asked, pred_leaf=True))


def main():
    folder = pathlib.Path(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for index, (name, objective, parameters) in enumerate(CASES):
        run(folder, index, name, objective, parameters, seed)
    print("XGBoost", xgboost.__version__, len(CASES), "models, SEED =", seed)


main()
