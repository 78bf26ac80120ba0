#!/usr/bin/python3
"""C code out of an XGBoost model, a function of nested ifs per tree: what bench measures beside.

Usage: ifelse.py MODEL.json FOLDER [PARTS]. Writes FOLDER/part_*.c, to be compiled with
-fvisibility=hidden and linked into one shared object with two entries; rows are floats
(row, feature), NaN is missing, raw gets margins (row) as floats in the order of the trees:

    void ifelse_by_row(const float *rows, int row_count, float *raw);
    void ifelse_by_tree(const float *rows, int row_count, float *raw);

Numeric splits and one output only.
"""
import json
import math
import pathlib
import struct
import sys

ENTRY = '__attribute__((visibility("default")))'


def literal(number):
    """A float as C writes it, exactly."""
    value = struct.unpack("f", struct.pack("f", number))[0]
    return value.hex() + "f"


def statements(tree, node, depth, lines):
    """Left iff x < threshold; NaN makes every comparison false, so its side chooses the operator."""
    indent = "    " * depth
    left, right = tree["left_children"][node], tree["right_children"][node]
    threshold = literal(tree["split_conditions"][node])
    if left == -1:
        lines.append(f"{indent}return {threshold};")
        return
    value = f"x[{tree['split_indices'][node]}]"
    goes_left = f"!({value} >= {threshold})" if tree["default_left"][node] else f"{value} < {threshold}"
    lines.append(f"{indent}if ({goes_left}) {{")
    statements(tree, left, depth + 1, lines)
    lines.append(f"{indent}}} else {{")
    statements(tree, right, depth + 1, lines)
    lines.append(f"{indent}}}")


def function(index, tree):
    lines = [f"float tree_{index}(const float *x)", "{"]
    statements(tree, 0, 1, lines)
    return "\n".join(lines + ["}", ""])


def margin(learner):
    base = float(learner["learner_model_param"]["base_score"])
    if learner["objective"]["name"] in ("binary:logistic", "reg:logistic"):
        return math.log(base / (1 - base))
    return base


def entries(learner, count):
    features = int(learner["learner_model_param"]["num_feature"])
    calls = "\n".join(f"        sum += tree_{i}(x);" for i in range(count))
    names = ", ".join(f"tree_{i}" for i in range(count))
    declarations = "\n".join(f"float tree_{i}(const float *x);" for i in range(count))
    return f"""{declarations}

{ENTRY} void ifelse_by_row(const float *rows, int row_count, float *raw)
{{
    for (int r = 0; r < row_count; r++) {{
        const float *x = rows + (long)r * {features};
        float sum = {literal(margin(learner))};

{calls}
        raw[r] = sum;
    }}
}}

static float (*const trees[])(const float *) = {{{names}}};

{ENTRY} void ifelse_by_tree(const float *rows, int row_count, float *raw)
{{
    for (int r = 0; r < row_count; r++)
        raw[r] = {literal(margin(learner))};
    for (int t = 0; t < {count}; t++)
        for (int r = 0; r < row_count; r++)
            raw[r] += trees[t](rows + (long)r * {features});
}}
"""


def main():
    learner = json.loads(pathlib.Path(sys.argv[1]).read_text())["learner"]
    folder = pathlib.Path(sys.argv[2])
    parts = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    trees = learner["gradient_booster"]["model"]["trees"]
    if int(learner["learner_model_param"]["num_class"]) > 1 or any(
            any(tree.get("split_type", [])) for tree in trees):
        sys.exit(f"ifelse.py: {sys.argv[1]}: only numeric splits and one output")
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        text = "\n".join(function(i, trees[i]) for i in range(part, len(trees), parts))
        (folder / f"part_{part}.c").write_text(text)
    (folder / f"part_{parts}.c").write_text(entries(learner, len(trees)))


main()
