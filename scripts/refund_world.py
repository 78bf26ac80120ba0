#!/usr/bin/python3
"""A world of refund cases in which the truth is known.

Every case is an order that went wrong. It has features, a credit that was drawn at
random with known probabilities, the customer's contribution over the next 90 days, and,
because this is a made world, the expected effect of every credit it could have had.

The effect of a credit grows with what the customer is worth and with how far a credit
can still change their mind: customers who would stay anyway, and those already lost, are
worth nothing to pay. Small grievances are settled by a small credit (concave in the
dose), broken and wrong goods only by one of some size (S-shaped). Customers who claim all
the time learn to claim more, so that their effect falls below zero. Future claims are
part of the outcome; the credit's own cost is not. Satisfaction rises with every credit,
whoever gets it, and is therefore no substitute for the outcome.

All amounts are minor units. The same seed and number of cases give the same bytes.

    refund_world.py --cases 60000 --seed 1 --output log.csv --truth truth.csv
    refund_world.py --cases 1000 --seed 2 --json --output cases.ndjson
"""
import argparse
import csv
import json
import sys

import numpy as np

DOSES = (500, 1000, 1500, 2000)
CHANNELS = ["chat", "phone", "app"]
ISSUES = ["late_delivery", "missing_item", "damaged_item", "wrong_item", "quality"]
MARKETS = ["us-ca", "us-ny", "us-tx"]
CURRENCY = "USD"

# Nine customers in ten redeem a credit: its expected cost is this share of it.
COST_SHARE = 0.9

# name, type; the order is that of the bundles and of the CSV.
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
CATEGORIES = {"channel": CHANNELS, "issue": ISSUES}
FEATURE_NAMES = [name for name, _ in FEATURES]

# Probability of none, 500, 1000, 1500, 2000: frequent claimers were given less.
PROPENSITIES = np.array([[0.24, 0.19, 0.19, 0.19, 0.19], [0.40, 0.15, 0.15, 0.15, 0.15]])
CLAIMS_OF_A_FREQUENT_CLAIMER = 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class World:
    """Cases as columns: arrays over (case), or over (case, arm) with none as arm 0."""

    def __init__(self, case_count, seed):
        self.seed = seed
        self.case_count = case_count
        # One stream per concern, so that a change to one leaves the others alone.
        people, logged, future, gaps = (
            np.random.default_rng([seed, stream]) for stream in range(4)
        )
        self._draw_cases(people)
        self._know_the_truth()
        self._draw_log(logged)
        self._draw_future(future)
        self._lose_features(gaps)

    def _draw_cases(self, rng):
        n = self.case_count
        is_claimer = rng.random(n) < 0.10
        tenure = np.floor(np.minimum(rng.gamma(1.1, 380, n), 3000)) + 1
        rate = rng.gamma(1.6, 5.0, n) * np.minimum(1, 0.35 + tenure / 200)
        orders = rng.poisson(rate) + 1
        claims = rng.poisson(np.where(is_claimer, 4.5, 0.15 + 0.04 * orders))
        issue = rng.choice(len(ISSUES), n, p=[0.38, 0.22, 0.14, 0.10, 0.16])
        is_late = issue == ISSUES.index("late_delivery")
        is_short = issue == ISSUES.index("missing_item")
        minutes = np.where(is_late, 15 + rng.lognormal(3.2, 0.7, n), rng.normal(2, 7, n))
        is_member = rng.random(n) < sigmoid(-1.6 + tenure / 500 + 0.06 * orders)

        self.true = {
            "tenure_days": tenure,
            "orders_90d": orders.astype(float),
            "avg_order_minor": np.round(1200 + rng.lognormal(7.7, 0.55, n)),
            "claims_90d": claims.astype(float),
            "credits_90d_minor": 100.0 * rng.poisson(5.5 * claims),
            "minutes_late": np.clip(np.round(minutes), -20, 240),
            "items_missing": np.where(is_short, 1 + rng.poisson(0.7, n), 0).astype(float),
            "days_since_order": np.floor(rng.exponential(90 / (orders + 1.0))),
            "last_rating": np.clip(np.round(rng.normal(3.9, 1.1, n)), 1, 5),
            "discount_share": np.round(rng.beta(1.6, 4.0, n), 2),
            "contacts": 1.0 + rng.poisson(0.5, n),
            "app_sessions_7d": rng.poisson(1 + 0.35 * orders).astype(float),
            "is_member": is_member.astype(float),
            "channel": rng.choice(len(CHANNELS), n, p=[0.45, 0.2, 0.35]).astype(float),
            "issue": issue.astype(float),
        }
        self.market = rng.choice(len(MARKETS), n, p=[0.5, 0.3, 0.2])
        # Large enough for every credit of the log to be one the policy would allow.
        size = self.true["avg_order_minor"] * rng.lognormal(0, 0.3, n)
        self.order_amount = np.maximum(2000, np.round(size)).astype(int)

    def _know_the_truth(self):
        f = self.true
        late = np.maximum(f["minutes_late"], 0)
        severity = (
            0.9 * np.log1p(late / 15)
            + 0.55 * f["items_missing"]
            + np.array([0.0, 0.5, 1.6, 1.2, 0.6])[f["issue"].astype(int)]
            + 0.35 * (f["contacts"] - 1)
        )
        # What keeps a customer whatever happens: habit, membership, a good last order.
        loyalty = (
            0.9 * np.log1p(f["tenure_days"] / 120)
            + 0.7 * f["is_member"]
            + 0.35 * (f["last_rating"] - 4)
            + 0.08 * np.minimum(f["app_sessions_7d"], 12)
            - 0.25 * np.log1p(f["days_since_order"] / 7)
        )
        self.value = 0.24 * f["orders_90d"] * f["avg_order_minor"]
        leaving = sigmoid(1.1 * (severity - loyalty) + 0.2)
        # Persuadable: neither certain to stay nor already gone.
        persuadable = 4 * leaving * (1 - leaving)
        reach = 0.55 * self.value * persuadable * (1 - 0.5 * f["discount_share"])
        reach = 6500 * np.tanh(reach / 6500)

        wants_more = np.isin(
            f["issue"], [ISSUES.index("damaged_item"), ISSUES.index("wrong_item")]
        )
        half = (np.where(wants_more, 0.34, 0.13) * f["avg_order_minor"]
                + 120 * f["contacts"])
        power = np.where(wants_more, 2.6, 1.4)
        abuse = 0.95 * sigmoid(1.6 * (f["claims_90d"] - 3.2)) + 0.12 * f["discount_share"]

        dose = np.array(DOSES, dtype=float)[None, :]
        curve = dose ** power[:, None] / (
            dose ** power[:, None] + half[:, None] ** power[:, None]
        )
        is_honest = 1 - sigmoid(1.6 * (f["claims_90d"] - 3.2))
        self.leaving = leaving
        self.effects = (reach * is_honest)[:, None] * curve - abuse[:, None] * dose
        self.baseline = self.value * (1 - 0.75 * leaving) - 260 * f["claims_90d"] + 300

    def _draw_log(self, rng):
        n = self.case_count
        is_frequent = self.true["claims_90d"] >= CLAIMS_OF_A_FREQUENT_CLAIMER
        self.propensities = PROPENSITIES[is_frequent.astype(int)]
        edges = np.cumsum(self.propensities, axis=1)
        draw = rng.random(n)[:, None]
        self.arm = np.minimum((draw >= edges).sum(axis=1), len(DOSES))
        self.credit = np.array((0,) + DOSES)[self.arm]
        self.propensity = self.propensities[np.arange(n), self.arm]
        self.cost = np.where(rng.random(n) < COST_SHARE, self.credit, 0)

    def _draw_future(self, rng):
        n = self.case_count
        none_and_effects = np.column_stack([np.zeros(n), self.effects])
        mean = self.baseline + none_and_effects[np.arange(n), self.arm]
        # Orders come and go with what a customer is worth; claims come in lumps.
        noise = rng.standard_normal(n) * (500 + 0.22 * self.value)
        claim_rate = 0.1 + 0.15 * self.true["claims_90d"]
        lumps = 700 * (rng.poisson(claim_rate) - claim_rate)
        self.outcome = np.round(mean + noise - lumps).astype(int)
        mood = 2.4 + self.credit / 900 - 1.2 * self.leaving + rng.normal(0, 0.9, n)
        self.satisfaction = np.clip(np.round(mood), 1, 5)
        self.satisfaction[rng.random(n) < 0.6] = np.nan

    def _lose_features(self, rng):
        """What the service gets to see: true features with holes."""
        n = self.case_count
        self.seen = {name: column.copy() for name, column in self.true.items()}
        is_phone = self.seen["channel"] == CHANNELS.index("phone")
        self.seen["last_rating"][rng.random(n) < 0.25] = np.nan
        self.seen["minutes_late"][rng.random(n) < 0.03] = np.nan
        self.seen["days_since_order"][self.seen["orders_90d"] <= 1] = np.nan
        self.seen["app_sessions_7d"][is_phone & (rng.random(n) < 0.5)] = np.nan
        self.seen["discount_share"][rng.random(n) < 0.05] = np.nan

    def exact_rows(self):
        """Features as they are sent, (case, feature): categories are their place in the
        list, a missing value is NaN."""
        return np.column_stack([self.seen[name] for name in FEATURE_NAMES])

    def rows(self):
        """The same in float32, which is how boosted trees read them."""
        return self.exact_rows().astype(np.float32)

    def net_values(self):
        """True effect less expected cost, (case, arm) with none as arm 0."""
        cost = COST_SHARE * np.array(DOSES, dtype=float)
        return np.column_stack([np.zeros(self.case_count), self.effects - cost])

    def best_credit(self):
        return np.array((0,) + DOSES)[np.argmax(self.net_values(), axis=1)]

    def case_id(self, i):
        return f"case-{self.seed}-{i:06d}"

    def customer_id(self, i):
        return f"c_{self.seed}_{i:06d}"

    def segment(self, i):
        tenure = self.true["tenure_days"][i]
        return "new" if tenure < 90 else "regular" if tenure < 730 else "loyal"

    def feature(self, name, i):
        """A feature as it is sent: None when missing."""
        value = self.seen[name][i]
        if np.isnan(value):
            return None
        if name in CATEGORIES:
            return CATEGORIES[name][int(value)]
        if name == "is_member":
            return bool(value)
        return int(value) if value == int(value) else float(value)

    def case(self, i):
        """One case as POST /v1/decisions takes it."""
        features = {name: self.feature(name, i) for name in FEATURE_NAMES}
        return {
            "case_id": self.case_id(i),
            "customer_id": self.customer_id(i),
            "currency": CURRENCY,
            "order_amount": int(self.order_amount[i]),
            "issue": features["issue"],
            "market": MARKETS[self.market[i]],
            "segment": self.segment(i),
            "channel": features["channel"],
            "features": {k: v for k, v in features.items() if v is not None},
        }

    def write_log(self, file):
        """One row per case: what training and evaluation read."""
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["case_id", "customer_id", "currency", "order_amount", "market", "segment"]
            + FEATURE_NAMES
            + ["credit", "propensity", "cost", "value_90d", "satisfaction"]
        )
        for i in range(self.case_count):
            case = self.case(i)
            features = [case["features"].get(name, "") for name in FEATURE_NAMES]
            mood = self.satisfaction[i]
            writer.writerow(
                [case["case_id"], case["customer_id"], case["currency"]]
                + [case["order_amount"], case["market"], case["segment"]]
                + [int(value) if isinstance(value, bool) else value for value in features]
                + [self.credit[i], self.propensity[i], self.cost[i], self.outcome[i]]
                + ["" if np.isnan(mood) else int(mood)]
            )

    def write_truth(self, file):
        writer = csv.writer(file, lineterminator="\n")
        names = [f"effect_{dose}" for dose in DOSES]
        writer.writerow(["case_id", "baseline"] + names + ["best_credit"])
        best = self.best_credit()
        for i in range(self.case_count):
            truth = [repr(float(x)) for x in (self.baseline[i], *self.effects[i])]
            writer.writerow([self.case_id(i), *truth, best[i]])

    def write_cases(self, file):
        for i in range(self.case_count):
            file.write(json.dumps(self.case(i)) + "\n")


def write_to(path, write):
    if path == "-":
        write(sys.stdout)
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        write(file)


def main():
    parser = argparse.ArgumentParser(
        description="Generate refund cases with known truth.")
    parser.add_argument("--cases", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--output", default="-", metavar="FILE",
                        help="the log, - is stdout")
    parser.add_argument("--truth", metavar="FILE",
                        help="true effect of every credit, CSV")
    parser.add_argument("--json", action="store_true",
                        help="cases as POST /v1/decisions takes them, one a line")
    options = parser.parse_args()
    if options.cases < 1 or options.seed < 0:
        parser.error("--cases is at least 1 and --seed at least 0")

    world = World(options.cases, options.seed)
    write_to(options.output, world.write_cases if options.json else world.write_log)
    if options.truth:
        write_to(options.truth, world.write_truth)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(1)
