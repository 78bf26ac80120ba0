"""What the training scripts share: boosted trees, cross-fitting, and writing bundles.

A bundle is the folder that `redress model check` and `redress model push` take: a
manifest.json, its model files, and examples that whoever loads it can check it by.

Training is deterministic: one thread, every seed given. The same machine and the same
versions of numpy and xgboost write the same bytes.
"""
import os

# Before numpy is loaded: sums of several threads come in no fixed order.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import math
import sys

import numpy as np
import xgboost

FOLD_COUNT = 5


def train_trees(rows, target, *, rounds, names, seed, weight=None,
                objective="reg:squarederror", **parameters):
    """A booster over float32 rows (row, feature), NaN for missing, from the mean."""
    data = xgboost.DMatrix(rows, label=target, weight=weight, missing=math.nan,
                           feature_names=names)
    settings = {
        "objective": objective,
        "base_score": float(np.average(target, weights=weight)),
        "tree_method": "hist",
        "nthread": 1,
        "seed": seed,
    }
    return xgboost.train({**settings, **parameters}, data, rounds)


def margins(booster, rows):
    """Raw scores (row) in float32, as xgboost itself adds them up."""
    data = xgboost.DMatrix(rows, missing=math.nan, feature_names=booster.feature_names)
    return booster.predict(data, output_margin=True)


def folds_of(row_count, seed):
    """Fold of each row, (row)."""
    return np.random.default_rng([seed, 17]).integers(0, FOLD_COUNT, row_count)


def model_bytes(booster):
    return bytes(booster.save_raw(raw_format="json"))


def linear_bytes(names, weights, intercept, fill):
    """A linear model in the format redress-linear/1."""
    model = {
        "format": "redress-linear/1",
        "features": names,
        "weights": [float(weight) for weight in weights],
        "intercept": float(intercept),
        "fill": [float(value) for value in fill],
        "link": "identity",
    }
    return (json.dumps(model, indent=1) + "\n").encode()


def feature_entries(names, types, categories):
    """The manifest's list of features; categories maps a name to its values by code."""
    entries = []
    for name in names:
        entry = {"name": name, "type": types[name], "missing": "allow"}
        if types[name] == "category":
            entry["categories"] = categories[name]
        entries.append(entry)
    return entries


def example_row(row, entries):
    """A row of codes as the features of a case: null is missing, a category its name."""
    sent = {}
    for value, entry in zip(row, entries):
        value = float(value)
        if math.isnan(value):
            sent[entry["name"]] = None
        elif entry["type"] == "category":
            sent[entry["name"]] = entry["categories"][int(value)]
        elif entry["type"] == "bool":
            sent[entry["name"]] = value != 0
        else:
            sent[entry["name"]] = int(value) if value == int(value) else value
    return sent


def write_bundle(folder, manifest, files):
    """files: name -> bytes. Refuses a folder with other files, such as those of another
    learner: they would look like part of the model."""
    os.makedirs(folder, exist_ok=True)
    strangers = sorted(set(os.listdir(folder)) - set(files) - {"manifest.json"})
    if strangers:
        sys.exit(f"{folder} holds files of something else: {', '.join(strangers)}")
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
        file.write(manifest_text(manifest))


def manifest_text(manifest):
    """JSON with one line per feature, arm, component and example."""
    lines = []
    for key, value in manifest.items():
        if isinstance(value, list) and value:
            items = ",\n  ".join(json.dumps(item) for item in value)
            lines.append(f' {json.dumps(key)}: [\n  {items}\n ]')
        elif key == "examples":
            parts = []
            for name, items in value.items():
                inner = ",\n   ".join(json.dumps(item) for item in items)
                parts.append(f'  {json.dumps(name)}: [\n   {inner}\n  ]')
            lines.append(' "examples": {\n' + ",\n".join(parts) + "\n }")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
