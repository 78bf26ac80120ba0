#!/usr/bin/python3
"""Every number of redress evaluate and redress estimate beside causal_reference.py, on random inputs.

Usage: causal_parity.py PROGRAM WHAT [SEED]; WHAT is uplift, policy, decisions, experiment, curve, ate, iv, panel,
surrogate, delayed, or published (which reads DATA, ../shared/data). Exit 1 with the numbers that
differ, 77 when NumPy or SciPy is not installed or there is no DATA.
"""
import csv
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np

    import causal_reference as reference
except ImportError:
    sys.exit(77)

PROGRAM, WHAT = sys.argv[1], sys.argv[2]
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 1000000
DATA = pathlib.Path(os.environ.get("DATA", "../shared/data"))
np.seterr(all="ignore")
rng = np.random.default_rng(SEED)
folder = tempfile.TemporaryDirectory(prefix="redress-causal-")
worst, wrong, compared = 0.0, [], 0


# ---- files and runs ----


def field(value):
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"' if set(value) & set(',"\n') else value
    if isinstance(value, float) and math.isnan(value):
        return str(rng.choice(["", "NA", "nan"]))
    return repr(value.item() if isinstance(value, np.generic) else value)


def table(name, **columns):
    path = pathlib.Path(folder.name) / name
    rows = [",".join(map(field, row)) for row in zip(*columns.values())]
    path.write_text("\n".join([",".join(columns), *rows]) + "\n")
    return str(path)


def run(*arguments, code=0):  # None: by the verdict, or 0 and 1 where there is none
    done = subprocess.run([PROGRAM, *arguments, "--json"], capture_output=True, text=True)
    found = json.loads(done.stdout) if done.stdout else None
    if found is not None and code is None:
        code = int(found["verdict"] == "refused") if "verdict" in found else done.returncode
    if found is None or code != done.returncode or code not in (0, 1):
        sys.exit(f"SEED={SEED} {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return found


def compare(expected, found, where, tolerance=1e-9):
    """What is expected has to be there; there may be more."""
    global worst, compared
    if isinstance(expected, dict):
        for key, value in expected.items():
            compare(value, found.get(key, "nothing"), f"{where}.{key}", tolerance)
    elif isinstance(expected, (list, tuple, np.ndarray)):
        if len(expected) != len(found):
            wrong.append(f"{where}: {len(found)} of {len(expected)}")
        for i, (a, b) in enumerate(zip(expected, found)):
            compare(a, b, f"{where}[{i}]", tolerance)
    elif expected is None or isinstance(expected, (str, bool)) or not math.isfinite(expected):
        if found != (expected if isinstance(expected, (str, bool)) else None):
            wrong.append(f"{where}: {found!r}, not {expected!r}")
    elif not isinstance(found, (int, float)):
        wrong.append(f"{where}: {found!r}, not {expected!r}")
    else:
        compared += 1
        off = abs(found - expected) / (1 + abs(expected))
        worst = max(worst, off / tolerance * 1e-9)
        if not off <= tolerance:
            wrong.append(f"{where}: {found!r}, not {float(expected)!r}")


def number_or_text(i):
    """Arms, clusters and units are numbers in one case, texts in the next."""
    return (lambda k: f"arm, {k}") if i % 2 else (lambda k: int(k))


def holes(values, share):
    values = np.array(values, dtype=float)
    values[rng.random(len(values)) < share] = np.nan
    return values


# ---- commands ----


def uplift():
    for i in range(40):
        n = int(rng.integers(30, 400)) if i else 2
        t = rng.integers(0, 2, n) if i else np.array([1, 0])
        y = rng.integers(0, 2, n).astype(float) if i else np.array([1.0, 0.0])
        s = np.round(rng.normal(size=n) + 0.3 * y * t, int(rng.integers(0, 4)))
        s[:2], t[:2] = [1, -1], [1, 0]
        if i % 3 == 2:
            y = np.round(rng.normal(size=n) * 5, 3)
        names = np.array(["control", "mail, signed"])
        other = np.round(s + rng.normal(size=n), 1)
        other[:2] = [1, -1]
        x = holes(rng.normal(size=n) + t * (i % 3) / 2, 0.1)
        zone = np.where(rng.random(n) < 0.1, "", np.array(["a", "b", "c, d"])[rng.integers(0, 3, n) * (1 - t * (i % 2))])
        p = np.round(rng.uniform(0.05, 1, n), 4) if i % 4 == 3 else None  # of what was done
        w = reference.hajek(t, p)
        clusters = rng.integers(0, n // 3, n) if i % 5 > 2 else None
        owner = {} if clusters is None else {"customer": [f"c{g}" if i % 2 else int(g) for g in clusters]}
        path = table("u.csv", s=s, t=names[t] if i % 2 else t, y=y, other=other, x=x, zone=zone,
                     p=np.ones(n) if p is None else p, **owner)
        more = ["--baseline", "other", "--calibration", "--features", "x,zone"] if i else []
        more += [] if p is None else ["--propensity", "p"]
        more += ["--cluster", "customer"] if owner else []
        found = run("evaluate", "uplift", "--data", path, "--score", "s", "--treatment", "t", "--outcome", "y", *more,
                    code=0 if p is None else None)
        compare(reference.uplift(y, s, t, p), found, f"uplift {i}")
        if p is not None:
            compare({"treated": np.mean(t / p), "control": np.mean((1 - t) / p)}, found["mean_weight"], f"weights {i}")
        if i:
            compare(reference.calibration(y, s, t, p, clusters), found["calibration"], f"calibration {i}")
            compare(reference.comparison(y, s, other, t, p), found["comparison"], f"comparison {i}")
            zones = {f"zone={name}": np.where(zone == "", np.nan, zone == name) for name in set(zone) - {""}}
            worst = max(zones, key=lambda name: abs(reference.gap(zones[name], t, w)[0]))
            compare(reference.balance({"s": s, "other": other, "x": x, worst: zones[worst]}, t, w, clusters), found["balance"],
                    f"balance {i}")


    copies_change_no_interval()


def copies_change_no_interval():
    """The same rows three times over, each with its copies in one cluster, are drawn as they were alone."""
    n = 120
    t, y, s, other = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.normal(size=n), rng.normal(size=n)
    t[:2] = [0, 1]
    found = []
    for copies in (1, 3):
        path = table("u.csv", customer=np.tile(np.arange(n), copies), s=np.tile(s, copies), t=np.tile(t, copies), y=np.tile(y, copies),
                     other=np.tile(other, copies))
        found.append(run("evaluate", "uplift", "--data", path, "--score", "s", "--treatment", "t", "--outcome", "y", "--cluster",
                         "customer", "--bootstrap", "60", "--baseline", "other", "--calibration"))
    for numbers in found:
        numbers["ends"] = [numbers["ci"]["qini"], numbers["ci"]["effect"], numbers["comparison"]["qini"]["ci"],
                           numbers["calibration"]["slope"]["bootstrap_ci"]]
    compare(found[0]["ends"], found[1]["ends"], "copies")
    compare(n, found[1]["clusters"], "copies' clusters")


def policy():
    for i in range(24):
        contexts, actions, n = int(rng.integers(1, 9)), int(rng.integers(2, 6)), int(rng.integers(150, 900))
        context_name = (lambda k: f"segment, {k}") if i % 2 else (lambda k: k * 0.5)
        action_name = (lambda k: f"credit {k}") if i % 3 else (lambda k: int(k))
        logging = np.full((contexts, actions), 1 / actions) if i % 4 == 0 else rng.dirichlet(np.full(actions, 8), contexts)
        target = rng.dirichlet(np.full(actions, 3), contexts)
        if i % 5 == 1:
            target[:, 0] = 0
            target /= target.sum(axis=1, keepdims=True)
        if i % 9 == 3:  # without a model: what was done, and no difference to it
            target = logging
        q_table = rng.random((contexts, actions)) if i % 3 else None
        c = rng.integers(0, contexts, n)
        a = np.array([rng.choice(actions, p=logging[k]) for k in c])
        r = np.round(rng.random(n) + a * 0.1, int(rng.integers(0, 3)))
        clusters = rng.integers(0, n // 3, n) if i % 2 else None
        grid = [(k, b) for k in range(contexts) for b in range(actions)]
        shuffled = [grid[j] for j in rng.permutation(len(grid))] if i % 3 == 2 else grid
        listed = [(k, b) for k, b in shuffled if target[k, b] > 0]
        columns = dict(
            x=[context_name(k) for k in c], action=[action_name(b) for b in a], propensity=logging[c, a], gain=r,
            note=["-"] * n)
        if clusters is not None:
            columns["customer"] = [f"c{k}" if i % 4 == 1 else int(k) for k in clusters]
        arguments = ["evaluate", "policy", "--log", table("log.csv", **columns), "--reward", "gain",
                     "--clip", "1.5,3", "--switch", "1,2", "--dros", "1,5", "--sg", "0.05,0.2"]
        arguments += ["--policy", table("policy.csv", action=[action_name(b) for _, b in listed],
                                        x=[context_name(k) for k, _ in listed], prob=[target[k, b] for k, b in listed])]
        if q_table is not None:
            arguments += ["--outcome-model", table(
                "model.csv", x=[context_name(k) for k, _ in shuffled], action=[action_name(b) for _, b in shuffled],
                qhat=[q_table[k, b] for k, b in shuffled])]
        if clusters is not None:
            arguments += ["--cluster", "customer"]
        q, dm = (q_table[c, a], (target * q_table).sum(axis=1)[c]) if q_table is not None else (None, None)
        # A model's value of an action that the policy never takes does not matter: its weight is 0.
        expected = reference.policy(
            target[c, a] / logging[c, a], target[c, a], r, q, dm, clusters, i % 4 == 0,
            ["1.5", "3"], ["1", "2"], ["1", "5"], ["0.05", "0.2"])
        found = run(*arguments, code=None)
        compare(expected, found, f"policy {i}")
        if expected["difference"]["value"] == 0 and found["difference"] != expected["difference"]:
            wrong.append(f"policy {i}: {found['difference']} is rounding")


def logged_cases(i, n):
    """A made log of refunds as the service exports decisions; some of the truth in what its model thought."""
    log, truth = (str(pathlib.Path(folder.name) / name) for name in ("past.csv", "truth.csv"))
    subprocess.run([PROGRAM, "generate", "log", "--cases", str(n), "--seed", str(SEED + i), "--rule", ["uniform", "careful"][i % 2],
                    "--customers", str(n // 2), "--output", log, "--truth", truth], check=True, capture_output=True)
    return [list(csv.DictReader(open(path, encoding="utf-8", newline=""))) for path in (log, truth)]


AMOUNTS = [0, 500, 1000, 1500, 2000]
FEATURES = ["tenure_days", "orders_90d", "claims_90d", "minutes_late", "last_rating", "discount_share", "is_member", "channel"]


def value_of(text):
    return {"": None, "true": True, "false": False}.get(text, text if text[:1].isalpha() else float(text or 0))


def decision_line(row, truth, metric, i):
    effects = [0.0] + [round(float(truth[f"effect_{a}"]) * 0.7 + rng.normal() * 150, 6) for a in AMOUNTS[1:]]
    options = [{"amount": a, "effect": e, "cost": 0.8 * a, "allowed": True, "propensity": float(row[f"propensity_{a}"])}
               for a, e in zip(AMOUNTS, effects)]
    chosen = AMOUNTS.index(int(row["action"]))
    if i % 3 == 2:  # what no model scored
        options = [{**o, "allowed": k in (0, chosen), **({} if k in (0, chosen) else {"effect": None, "cost": None})}
                   for k, o in enumerate(options)]
        options = [{key: v for key, v in o.items() if v is not None and key != "propensity"} for o in options]
    return {"object": "logged_decision", "decision_id": row["case_id"], "mode": "live", "action": int(row["action"]),
            "propensity": float(row["propensity"]), "created_at": row["occurred_at"], "customer_id": row["customer_id"],
            "order_amount": int(row["order_amount"]), "currency": row["currency"], "market": row["market"], "issue": row["issue"],
            "segment": row["segment"], "features": {k: value_of(row[k]) for k in FEATURES if rng.random() > 0.02},
            "options": options, "outcomes": {"gain": float(row[metric])}}


def table_of(lines, choices):
    """What reward_table.h says of these lines: the option taken, then the case, and the option the policy takes."""
    names, codes, rows, taken, wanted = {}, {}, [], [], []

    def code(column, text):
        seen = codes.setdefault(column, {})
        return float(seen.setdefault(text, len(seen)))

    def option(line, amount):
        logged = next((o for o in line["options"] if o["amount"] == amount), {})
        return [float(amount), code("amount", amount), logged.get("effect", np.nan), logged.get("cost", np.nan)]

    for line, choice in zip(lines, choices):
        fields = {k: line[k] for k in ("order_amount", "currency", "market", "issue", "segment")}
        fields |= {f"features.{k}": v for k, v in line["features"].items()}
        for name in fields:
            names.setdefault(name, len(names))
        rows.append({name: code(name, v) if isinstance(v, str) else float(v) for name, v in fields.items() if v is not None})
        taken.append(option(line, line["action"]))
        wanted.append([(1.0, np.float32(option(line, choice)).astype(float))])
    values = [t + [row.get(name, np.nan) for name in names] for t, row in zip(taken, rows)]
    return np.float32(values).astype(float), [False, True, False, False] + [name in codes for name in names], wanted


def decisions():
    """The decision log under a budget: estimates with the outcome model that is fitted on it, and the truth."""
    policy_features()
    for i in range(4):
        metric = ["value_90d", "returned"][i % 2]
        past, truths = logged_cases(i, 1200)
        lines = [decision_line(row, truth, metric, i) for row, truth in zip(past, truths)]
        path = pathlib.Path(folder.name) / "log.ndjson"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        found = run("evaluate", "policy", "--log", str(path), "--budget", "300000", "--reward", "gain", "--switch", "2", "--dros", "3",
                    "--sg", "0.1", "--seed", str(i), *([] if i % 2 else ["--cluster", "none"]), code=None)
        price = found["budget"]["price"]
        nets = [[(round(o["effect"] - o["cost"] * (1 + price), 6), -k) for k, o in enumerate(line["options"]) if o["allowed"]] for line in lines]
        choices = [AMOUNTS[-max(net)[1]] for net in nets]
        values, is_nominal, wanted = table_of(lines, choices)
        action, rewards = np.array([line["action"] for line in lines]), np.array([line["outcomes"]["gain"] for line in lines])
        owners = [line["customer_id"] for line in lines]
        q, dm = reference.expected_rewards(values, is_nominal, rewards, owners, wanted, i, metric == "returned")
        pi = (action == choices).astype(float)
        clusters = np.unique(owners, return_inverse=True)[1] if i % 2 else None
        expected = reference.policy(pi / [line["propensity"] for line in lines], pi, rewards, q, dm, clusters, i % 2 == 0, [], ["2"], ["3"], ["0.1"])
        compare(expected, found, f"decisions {i} {metric}")
        compare({"base": "logistic" if metric == "returned" else "ridge",
                 "explained": 1 - np.sum((rewards - q) ** 2) / np.sum((rewards - rewards.mean()) ** 2)}, found["outcome_model"], f"decisions {i}")
        if metric == "value_90d" and i % 3 != 2:
            # How well is the base's own: the truth is the same for all.
            trees = run("evaluate", "policy", "--log", str(path), "--budget", "300000", "--reward", "gain", "--base", "xgboost", "--cluster", "none", code=None)
            truth = np.mean([float(t["baseline"]) + (float(t[f"effect_{a}"]) if a else 0) for t, a in zip(truths, choices)])
            dr, snipw = (found["estimators"][name] for name in ("dr", "snipw"))
            forest = trees["estimators"]["dr"]
            print(f"dr {dr['value']:.0f} (se {dr['se']:.0f}), snipw {snipw['value']:.0f} ({snipw['se']:.0f}), truly {truth:.0f}")
            if not (abs(dr["value"] - truth) < 4.5 * dr["se"] and abs(forest["value"] - truth) < 4.5 * forest["se"] and
                    max(dr["se"], forest["se"]) < snipw["se"]):
                wrong.append(f"decisions {i}: dr is {dr}, with trees {forest}, snipw {snipw}, the truth {truth}")


def policy_features():
    """A table and a policy file: the model is fitted on columns of the table, texts and numbers with holes."""
    for i in range(4):
        n, actions = 500, ["none", "500", "1000"]
        segment, x = rng.integers(0, 3, n), np.round(rng.normal(size=n), 2)
        a = rng.integers(0, 3, n)
        r = np.round(x + 0.5 * segment + 0.3 * a + rng.normal(size=n) * 0.3, 3)
        if i % 2:
            r = (r > 0.8).astype(float)
        seen, owners = holes(x, 0.05), rng.integers(0, 200, n)
        target = rng.dirichlet(np.full(3, 2), 3)
        target[0] = [0, 0, 1]
        log = table("log.csv", segment=[f"s, {k}" for k in segment], x=seen, customer=[f"c{k}" for k in owners],
                    action=[actions[k] for k in a], propensity=[1 / 3] * n, reward=r)
        grid = [(s, k) for s in range(3) for k in range(3) if target[s, k] > 0]
        candidate = table("policy.csv", segment=[f"s, {s}" for s, _ in grid], action=[actions[k] for _, k in grid],
                          prob=[target[s, k] for s, k in grid])
        clusters = ["--cluster", "customer"] if i > 1 else []
        found = run("evaluate", "policy", "--log", log, "--policy", candidate, "--features", "x,segment", "--seed", str(i), *clusters, code=None)
        codes, names = {}, {}
        amount = lambda k: [np.nan if k == 0 else float(actions[k]), float(codes.setdefault(k, len(codes)))]
        values, wanted = [], []
        for row in range(n):
            case = [seen[row], float(names.setdefault(segment[row], len(names)))]
            values.append(amount(a[row]) + [np.nan, np.nan] + case)
            wanted.append([(target[segment[row], k], np.array(amount(k) + [np.nan, np.nan])) for k in range(3) if target[segment[row], k] > 0])
        who = [f"c{k}" for k in owners] if clusters else [str(row + 2) for row in range(n)]
        q, dm = reference.expected_rewards(np.float32(values).astype(float), [False, True, False, False, False, True], r, who, wanted, i, bool(i % 2))
        pi = target[segment, a]
        expected = reference.policy(pi * 3, pi, r, q, dm, owners if clusters else None, True)
        compare(expected["estimators"]["dr"], found["estimators"]["dr"], f"features {i} dr")
        compare(expected["estimators"]["sndr"], found["estimators"]["sndr"], f"features {i} sndr")
        compare(expected["estimators"]["dm"], found["estimators"]["dm"], f"features {i} dm")
        if not found["outcome_model"]["explained"] > (0.2 if i % 2 else 0.5):
            wrong.append(f"features {i}: the model does not help: {found['outcome_model']}")


def experiment():
    for i in range(20):
        n, k = int(rng.integers(40, 400)), int(rng.integers(2, 5))
        arm_of = number_or_text(i)
        arms = rng.integers(0, k, n)
        arms[: 4 * k] = np.repeat(np.arange(k), 4)
        x = np.round(rng.normal(size=n) * 3 + 1e3 * (i % 3 == 0), 2)
        y = x * 0.7 + rng.normal(size=n) + 5 + arms * 0.1
        y, x, guard = holes(y, [0.03, 0.2][i % 2]), holes(x, 0.03), holes(rng.normal(size=n) - arms, [0, 0.1][i % 2])
        y[: 4 * k], x[: 4 * k] = arms[: 4 * k] + rng.normal(size=4 * k), rng.normal(size=4 * k)
        guard[: 4 * k] = rng.normal(size=4 * k)
        margin = float(rng.choice([-0.5, 0.5, 2]))
        names = [arm_of(j) for j in range(k)]
        shares = list(map(float, rng.integers(1, 5, k))) if i % 3 == 1 else None
        arguments = ["evaluate", "experiment", "--arm", "arm", "--metric", "y", "--control", str(names[0]),
                     "--tightest-at", "500", "--plan", "0.5", "--guardrail", f"guard:{margin}"]
        alpha, power = (0.05, 0.8) if i % 2 else (0.01, 0.93)
        if i % 2 == 0:
            arguments += ["--alpha", str(alpha), "--power", str(power)]
        has_x = i % 4 != 3
        if has_x:
            arguments += ["--covariate", "x"]
        if shares:
            arguments += ["--shares", ",".join(map(str, shares))]
        clusters = None
        if i % 4 in (1, 2):
            # Of those who come often some are in one arm only, as where customers were divided.
            clusters = rng.integers(0, n // 4 + 2, n)
            clusters = clusters * k + arms if i % 4 == 1 else clusters
            arguments += ["--cluster", "customer"]
        path = table("e.csv", arm=[arm_of(j) for j in arms], y=y, x=x, guard=guard,
                     **({} if clusters is None else {"customer": [f"c{g}" if i % 2 else int(g) for g in clusters]}))
        found = run(*arguments, "--data", path, code=None)
        order = list(dict.fromkeys(arms)) if i % 2 else range(k)
        expected = reference.experiment(
            y, arms, list(order), 0, x if has_x else None, guard, margin, shares, 500, 0.5, alpha, power, clusters)
        expected["arms"] = {str(arm_of(int(j))): v for j, v in expected["arms"].items()}
        expected["srm"]["counts"] = {str(arm_of(int(j))): v for j, v in expected["srm"]["counts"].items()}
        compare(expected, found, f"experiment {i}")


    for size, sd, rate, r in ((0.5, 3, None, None), (0.02, None, 0.1, 0.6)):
        variance = sd * sd if sd else (rate * (1 - rate) + (rate + size) * (1 - rate - size)) / 2
        found = run("evaluate", "experiment", "--plan", str(size), "--power", "0.9", *(["--sd", str(sd)] if sd else ["--rate", str(rate)]),
                    *(["--correlation", str(r)] if r else []))["plan"]
        compare({"rows_per_arm": reference.sizes(variance, size, 0.05, 0.9), "sd": math.sqrt(variance)}, found, "plan")
        if r:
            compare(reference.sizes(variance * (1 - r * r), size, 0.05, 0.9), found["rows_per_arm_cuped"], "plan with cuped")


def curve():
    for i in range(15):
        n, k = int(rng.integers(2, 150)), int(rng.integers(1, 6))
        # Powers of two: rounded effects have ties, which are then ties to both, not what rounding makes of them.
        costs = rng.permutation(np.arange(1, k + 1)) * rng.choice([0.5, 1, 4])
        if i % 3 == 2:
            costs = np.ceil(costs / costs.max() * 2)
        effects, scores = np.round(rng.normal(size=(n, k)) + 0.5, int(rng.integers(0, 4))), rng.normal(size=(n, k))
        effects[0, 0] = abs(effects[0, 0]) + 1
        others = np.round(effects + rng.normal(size=(n, k)), 1)
        others[0, 0] = 2
        clusters = None
        if i % 4 > 1:
            clusters = rng.integers(0, n // 2 + 1, n)
            clusters[:2] = [0, 1]
        owner = {} if clusters is None else {"customer": [f"c{g}" if i % 2 else int(g) for g in clusters]}
        path = table("c.csv", **owner, **{f"e{j}": effects[:, j] for j in range(k)}, **{f"s{j}": scores[:, j] for j in range(k)},
                     **{f"o{j}": others[:, j] for j in range(k)})
        probe = reference.frontier(effects, scores, costs, [])["max_spend"]
        spends = [float(s) for s in np.r_[0, np.sort(rng.random(6)) * probe * 1.2]]
        names = {kind: ",".join(f"{kind}{j}" for j in range(k)) for kind in "eso"}
        found = run("evaluate", "curve", "--data", path, "--effects", names["e"], "--scores", names["s"], "--costs",
                    ",".join(map(repr, map(float, costs))), "--spend", ",".join(map(repr, spends)),
                    *(["--baseline", names["o"]] if i % 2 else []), *(["--cluster", "customer"] if owner else []))
        expected = reference.frontier(effects, scores, costs, spends, others if i % 2 else None, clusters)
        del expected["units"]
        compare(expected, found, f"curve {i}")


def draw_rows(i, n):
    X = rng.normal(size=(n, 3)) * [1, 1e-4, 1e5] + [0, 0, 1e6]
    groups = rng.integers(0, 4, n)
    groups[:4] = range(4)
    score = 0.5 * X[:, 0] + 1e4 * 0.3 * X[:, 1]
    return X, groups, score


def ate():
    for i in range(38):
        n = int(rng.integers(150, 500))
        X, groups, score = draw_rows(i, n)
        t = (rng.random(n) < 1 / (1 + np.exp(-score))).astype(int)
        y = score + t + rng.normal(size=n) * (1 + t)
        if i % 5 == 4 or i % 4 == 1:
            y = (y > 0.5).astype(float)
        y[: n // 30] = np.nan
        before = holes(score + t * (i % 3) + rng.normal(size=n), 0.02)  # of what the treatment cannot have changed
        clusters = rng.integers(0, n // 4, n)
        clusters[0] = n  # a cluster that is left out with its only row
        method = ["difference", "ols", "lin", "ipw", "aipw"][i % 5] if i < 25 else "ols" if i < 30 else "lin"
        kind = ["classical", "hc0", "hc1", "hc2", "hc3"][(i // 5 + i if i < 30 else i) % 5]
        estimand = "att" if i >= 30 or method in ("lin", "ipw", "aipw") and i % 2 else "ate"
        design = np.column_stack([X, *[(groups == g).astype(float) for g in (1, 2, 3)], X[:, 0] * 2 + 3, np.full(n, 7.0)])
        has_placebo = i % 7 in (0, 2, 3, 5)
        whole = ~np.isnan(y) & ~(np.isnan(before) & has_placebo)
        arm_of = number_or_text(i)
        arguments = ["estimate", "ate", "--treatment", "t", "--outcome", "y", "--method", method, "--estimand", estimand,
                     "--covariates", "x0,x1,x2,group,twice,constant", "--control", str(arm_of(0))]
        names_kind = i % 7 != 2
        kind = kind if names_kind else "hc2"
        if method in ("difference", "ols", "lin") and names_kind:
            arguments += ["--se", kind]
        has_clusters = i % 3 == 0
        if has_clusters:
            arguments += ["--cluster", "customer"]
        folds = None
        if method == "aipw" and i != 14:
            units = np.arange(whole.sum())
            if has_clusters:  # texts are counted as they come, numbers from the largest on
                codes = list(dict.fromkeys(clusters[whole])) if i % 2 else sorted(set(clusters[whole]), reverse=True)
                units = np.array([codes.index(c) for c in clusters[whole]])
            arguments += ["--folds", str(2 + i % 4), "--seed", str(SEED % 1000 + i)]
            folds = reference.drawn_folds(units.max() + 1, 2 + i % 4, SEED % 1000 + i)[units]
        if has_placebo:
            arguments += ["--placebo", "before"]
        arguments += ["--data", table(
            "a.csv", t=[arm_of(k) for k in t], y=y, before=before, x0=X[:, 0], x1=X[:, 1], x2=X[:, 2],
            group=[f"g{k}" for k in groups], twice=design[:, 6], constant=design[:, 7],
            customer=[f"c{k}" if i % 2 else int(k) for k in clusters])]
        found = run(*arguments)
        effect_on = lambda outcome: reference.effect(
            outcome[whole], t[whole].astype(float), design[whole], method, estimand, kind, clusters[whole] if has_clusters else None,
            method == "lin" and names_kind and not has_clusters, folds)
        compare(effect_on(y), found, f"ate {i} {method} {estimand} {kind}")
        if has_placebo:
            placebo = effect_on(before)
            compare({key: placebo[key] for key in ("estimate", "se", "ci", "p")} | {"outcome": "before"}, found["placebo"], f"ate {i} placebo", 1e-8)
        if has_clusters:
            compare(len(set(clusters[whole])), found["clusters"], f"ate {i} clusters")


def iv():
    for i in range(20):
        n, q = int(rng.integers(120, 400)), 1 + i % 3
        Z, x, hidden = rng.normal(size=(n, q)), rng.normal(size=n) * 1e3, rng.normal(size=n)
        strength = [0.7, 0.15][i % 4 == 3]
        t = Z @ np.full(q, strength) + hidden + 1e-3 * x + rng.normal(size=n)
        clusters = rng.integers(0, n // 4, n) if i % 4 > 1 else None
        y = holes(0.5 * t + hidden + rng.normal(size=n), 0.02)
        kind = ["classical", "hc0", "hc1"][i % 3]
        whole = ~np.isnan(y)
        columns = {f"z{j}": Z[:, j] for j in range(q)}
        if i % 5 == 2:
            columns["again"] = Z[:, 0] * 3 - 1
        owner = {} if clusters is None else {"customer": [f"c{k}" if i % 2 else int(k) for k in clusters]}
        found = run("estimate", "iv", "--data", table("i.csv", y=y, t=t, x=x, **columns, **owner), "--outcome", "y",
                    "--treatment", "t", "--instruments", ",".join(columns), "--covariates", "x", "--se", kind,
                    *(["--cluster", "customer"] if owner else []))
        expected, p_of = reference.instruments(
            y[whole], t[whole], np.column_stack(list(columns.values()))[whole], x[whole, None], kind,
            clusters[whole] if owner else None)
        compare(expected, found, f"iv {i}")
        compare("cr1" if owner else kind, found["se_kind"], f"iv {i} errors")
        region = found["anderson_rubin"]
        inside = p_of(found["estimate"]) > 0.05
        if region["set"] in ("interval", "outside"):
            compare([0.05, 0.05], [p_of(region["low"]), p_of(region["high"])], f"iv {i} set", 1e-6)
            assert inside == ((region["set"] == "interval") == (region["low"] < found["estimate"] < region["high"]))
        else:
            assert inside == (region["set"] == "all")


def panel():
    for i in range(15):
        units, post = int(rng.integers(6, 9)), int(rng.integers(1, 5))
        method = ["did", "sc", "sdid"][i % 3]
        # As many numbers to explain as weights, at least: else weights are all but arbitrary.
        pre = int(rng.integers(7, 10)) if method == "sc" else int(rng.integers(2, 5))
        T = pre + post
        Y = rng.normal(size=(units, T)) + np.outer(rng.normal(size=units) * 2, np.linspace(0, 1, T)) + 100
        name = number_or_text(i)
        rows = [(u, p) for u in range(units) for p in range(T)]
        rows = [rows[j] for j in rng.permutation(len(rows))]
        path = table("p.csv", u=[name(u) for u, _ in rows], when=[1990 + p for _, p in rows], y=[Y[r] for r in rows])
        found = run("estimate", "panel", "--data", path, "--unit", "u", "--time", "when", "--outcome", "y",
                    "--treated", str(name(1)), "--from", str(1990 + pre), "--method", method, "--placebo")
        own = reference.panel(Y, 1, pre, method)
        rank, se = reference.placebo(Y, 1, pre, method)
        compare({"estimate": own["estimate"], "post_rmspe": own["post_rmspe"], "pre_rmspe": own["pre_rmspe"],
                 "placebo_rank": rank, "se": se}, found, f"panel {i} {method}")
        compare(reference.fit_before(Y, 1, pre, method), found["fit_before"], f"panel {i} {method} before", 1e-7)
        reach = reference.stats.t.ppf(0.975, units - 2) * se
        compare([own["estimate"] - reach, own["estimate"] + reach], found["ci"], f"panel {i} {method} ci", 1e-7)
        weights = found["weights"]
        compare({str(name(u)): w for u, w in own["unit"].items() if w > 0}, weights["unit"], f"panel {i} {method}", 1e-7)
        compare([w for w in own["time"]], [weights["time"].get(str(1990 + p), 0) for p in range(pre)], f"panel {i} times", 1e-7)
        assert abs(sum(weights["unit"].values()) - 1) < 1e-12 and found["optimality_gap"] < 1e-6


def surrogate():
    for i in range(12):
        n, m, k = int(rng.integers(40, 300)), int(rng.integers(40, 300)), int(rng.integers(1, 4))
        H, E, t = rng.normal(size=(n, k)) + 2, rng.normal(size=(m, k)) + 2, rng.integers(0, 2, m)
        t[:6] = [0, 1] * 3
        E += 0.3 * t[:, None]
        y = H.sum(axis=1) + rng.normal(size=n)
        matured = E.sum(axis=1) + rng.normal(size=m)
        matured[m // 2 :] = np.nan
        y = holes(y, 0.05)
        names = [f"s{j}" for j in range(k)]
        arm_of = number_or_text(i)
        history = table("h.csv", y=y, **dict(zip(names, H.T)))
        more = {"y": matured} if i % 2 else {}
        now = table("n.csv", t=[arm_of(j) for j in t], **dict(zip(names, E.T)), **more)
        found = run("estimate", "surrogate", "--history", history, "--experiment", now, "--surrogates", names[-1],
                    *(["--covariates", ",".join(names[:-1])] if k > 1 else []), "--treatment", "t", "--outcome", "y",
                    "--control", str(arm_of(0)))
        whole = ~np.isnan(y)
        expected = reference.surrogate(H[whole], y[whole], E, t.astype(float), matured if more else None)
        compare(expected, found, f"surrogate {i}")


def delayed():
    for i in range(8):
        n = 1200
        arm, elapsed = rng.integers(0, 2, n), np.round(rng.uniform(0.5, 6, n), 2)
        will, delay = rng.random(n) < 0.3 + 0.1 * arm, np.round(rng.exponential(1.5, n), 1 + i % 3)
        converted = will & (delay <= elapsed)
        name = number_or_text(i)
        path = table("d.csv", arm=[name(a) for a in arm], elapsed=elapsed, converted=converted.astype(int),
                     delay=np.where(converted, delay, np.nan))
        found = run("estimate", "delayed", "--data", path, "--arm", "arm", "--elapsed", "elapsed", "--converted", "converted",
                    "--delay", "delay", "--control", str(name(0)), "--window", "2")
        horizon = min(elapsed[arm == a].max() for a in (0, 1))
        sides = {}
        for a in (0, 1):
            rows = [v[arm == a] for v in (elapsed, converted, delay)]
            p, se, rate = reference.mixture_cure(*rows)
            compare({"p": p, "lambda": rate}, found["arms"][str(name(a))], f"delayed {i}", 1e-6)
            compare({"se": se}, found["arms"][str(name(a))], f"delayed {i}", 1e-4)
            sides[a] = {"n": int(np.sum(arm == a)), "naive": rows[1].mean(), "converted": int(rows[1].sum()),
                        "kaplan_meier": reference.kaplan_meier(*rows, horizon), "windowed": reference.windowed(*rows, 2)}
            compare(sides[a], found["arms"][str(name(a))], f"delayed {i}")
        less = {k: sides[1][k] - sides[0][k] for k in ("naive", "kaplan_meier", "windowed")}
        of = [(elapsed[arm == a], converted[arm == a], delay[arm == a]) for a in (0, 1)]
        greenwood = math.hypot(*(reference.kaplan_meier_se(*rows, horizon) for rows in of))
        shares = [(sides[a]["windowed"], np.sum(elapsed[arm == a] >= 2)) for a in (0, 1)]
        compare({"kaplan_meier": {"se": greenwood}, "windowed": {"se": math.sqrt(sum(p * (1 - p) / n for p, n in shares))}}, found, f"delayed {i}")
        compare({"naive": less["naive"], "kaplan_meier": {"horizon": horizon, "difference": less["kaplan_meier"]},
                 "windowed": {"window": 2, "difference": less["windowed"], "n": int(np.sum(elapsed >= 2))}}, found, f"delayed {i}")


# ---- published numbers ----


def published_effects():
    nsw = ["estimate", "ate", "--data", str(DATA / "nsw/nsw_dw.csv"), "--treatment", "treat", "--outcome", "re78"]
    covariates = ["--covariates", "age,educ,black,hisp,marr,nodegree,re74,re75"]
    compare({"estimate": 1794.34}, run(*nsw, "--method", "difference"), "nsw difference", 1e-5)
    compare({"estimate": 1676.34}, run(*nsw, "--method", "ols", *covariates), "nsw ols", 1e-5)
    regions = ",".join(f"reg{r}" for r in range(662, 670))
    card = ["estimate", "iv", "--data", str(DATA / "card/card.csv"), "--outcome", "lwage", "--treatment", "educ",
            "--covariates", f"exper,expersq,black,smsa,south,smsa66,{regions}", "--instruments"]
    found = run(*card, "nearc4")
    compare({"estimate": 0.1315, "se": 0.0550, "ols": 0.0747, "sargan": None}, found, "card", 1e-4)
    if not (found["first_stage_f"] > 10 and run(*card, "nearc4,nearc2")["weak"]):
        wrong.append("card: one instrument is strong, two are weak")


def published_panels():
    prop99 = ["estimate", "panel", "--data", str(DATA / "prop99/prop99.csv"), "--unit", "State", "--time", "Year", "--outcome",
              "PacksPerCapita", "--treated", "California", "--from", "1989", "--placebo", "--method"]
    for method, value in (("did", -27.349), ("sc", -19.514), ("sdid", -15.604)):
        found = run(*prop99, method)
        compare({"estimate": value}, found, f"proposition 99 {method}", 5e-4)
        if found["optimality_gap"] > 1e-6:
            wrong.append(f"proposition 99 {method}: gap {found['optimality_gap']}")


def published_mails():
    path = str(DATA / "hillstrom/hillstrom.csv")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys(row["segment"] for row in rows))
    arms = np.array([names.index(row["segment"]) for row in rows])
    control = names.index("No E-Mail")
    column = {name: np.array([float(row[name]) for row in rows])
              for name in ("visit", "conversion", "spend", "recency", "history", "mens", "womens", "newbie")}
    diffs = {"visit": {"Mens E-Mail": 0.07659, "Womens E-Mail": 0.04523},
             "conversion": {"Mens E-Mail": 0.00681, "Womens E-Mail": 0.00311},
             "spend": {"Mens E-Mail": 0.76983, "Womens E-Mail": 0.42441}}
    for metric, published in diffs.items():
        found = run("evaluate", "experiment", "--data", path, "--arm", "segment", "--control", "No E-Mail", "--metric", metric,
                    "--covariate", "history")
        compare({name: {"diff": diff} for name, diff in published.items()}, found["arms"], f"hillstrom {metric}", 1e-5)
        expected = reference.experiment(column[metric], arms, range(len(names)), control, column["history"])
        expected["arms"] = {names[int(arm)]: values for arm, values in expected["arms"].items()}
        expected["srm"]["counts"] = {names[int(arm)]: count for arm, count in expected["srm"]["counts"].items()}
        expected["attrition"] = {metric: expected["attrition"]["y"]}
        compare(expected, found, f"hillstrom {metric}")
        if metric == "spend" and not all(arm["cuped"]["se"] < arm["se"] for arm in found["arms"].values()):
            wrong.append("hillstrom: the covariate does not help")

    # Either e-mail against none.
    before = ("recency", "history", "mens", "womens", "newbie")
    mailed = (arms != control).astype(int)
    any_mail = table("any.csv", mailed=mailed, **column)
    for metric, diff in (("visit", 0.06088), ("conversion", 0.00495), ("spend", 0.59680)):
        for method in ("difference", "lin", "aipw"):
            found = run("estimate", "ate", "--data", any_mail, "--treatment", "mailed", "--outcome", metric, "--method", method,
                        *([] if method == "difference" else ["--covariates", ",".join(before)]))
            expected = reference.effect(column[metric], mailed.astype(float), np.column_stack([column[name] for name in before]),
                                        method, "ate", "hc2")
            compare(expected, found, f"hillstrom any {metric} {method}")
            if method == "difference":
                compare({"estimate": diff}, found, f"hillstrom any {metric}", 1e-5)
            elif not found["ci"][0] < diff < found["ci"][1]:
                wrong.append(f"hillstrom any {metric} {method}: {found['ci']} is without {diff}")


def published_logs():
    def rows(name, **picked):
        head, *lines = (DATA / "obd" / name).read_text().splitlines()
        names = head.split(",")
        keep = [j for j, column in enumerate(names) if column not in picked and column != "decision_id"]
        chosen = [line.split(",") for line in lines]
        chosen = [line for line in chosen if all(line[names.index(c)] == v for c, v in picked.items())]
        path = pathlib.Path(folder.name) / name
        path.write_text("\n".join(",".join(line[j] for j in keep) for line in [names, *chosen]) + "\n")
        return str(path)

    for log, target, verdict, code in (("random", "bts_empirical", "usable", 0), ("random", "uniform", "usable", 0),
                                       ("bts", "uniform", "usable", 0), ("bts", "best_item", "refused", 1)):
        found = run("evaluate", "policy", "--log", rows(f"log_{log}_men.csv"), "--policy",
                    rows("policies_men.csv", policy=target), "--outcome-model", rows("qhat_men.csv", log=log), code=code)
        compare({"verdict": verdict}, found, f"open bandit {log} {target}")
        if log == "random" and target == "uniform":
            compare({"ess": 10000, "estimators": {"ipw": {"value": 0.0046}, "replay": {"value": 0.0046}}}, found, "open bandit")


def published():
    if not (DATA / "nsw").is_dir():
        sys.exit(77)
    published_effects()
    published_panels()
    published_mails()
    published_logs()


globals()[WHAT]()
print(f"{WHAT}: {compared} numbers, SEED={SEED}, largest relative difference {worst:.1e}")
if wrong:
    sys.exit("\n".join(wrong[:20]))
