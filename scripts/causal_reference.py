"""What redress evaluate and redress estimate must answer, computed plainly with NumPy and SciPy.

Written from the definitions in docs/evaluate.md, not from the C code: matrices where that has
orthonormal bases, all supports tried where that has an active set, loops where that has sums.
"""
import itertools
import warnings

import numpy as np
from scipy import optimize, stats


def reach_of(freedom):
    """Of a 95 % interval, in errors: the quantile that scipy has is known to some nine digits, its tail to all."""
    if freedom == np.inf:
        return stats.norm.ppf(0.975)
    return optimize.brentq(lambda t: stats.t.sf(t, freedom) - 0.025, 1.9, 13, xtol=1e-14, rtol=1e-15)


def interval(value, se, freedom=np.inf):
    reach = reach_of(freedom) * se
    return [value - reach, value + reach]


def two_sided(z, freedom=np.inf):
    return 2 * stats.t.sf(abs(z), freedom)


def freedom_of(*owners):
    """Degrees of freedom of a difference, by the clusters of the rows of two arms; Welch's for draws of one variance."""
    if owners[0] is None:
        return np.inf
    sizes = [np.unique(own, return_counts=True)[1] for own in owners]
    a, b = [n.sum() ** 2 / (n**2).sum() for n in sizes]
    with np.errstate(divide="ignore"):
        welch = (1 / a + 1 / b) ** 2 / (1 / (a * a * (a - 1)) + 1 / (b * b * (b - 1)))
    return max(1, min(welch, len(np.unique(np.concatenate(owners))) - 1))


def divide(a, b):
    return np.divide(a, b, out=np.zeros(np.shape(b)), where=np.asarray(b) != 0)


# ---- uplift ----


def area(x, y):
    return float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2))


def falling(s):
    """The order in which scikit-uplift looks at rows: equal scores from the last to the first."""
    return np.argsort(s, kind="mergesort")[::-1]


def curve(y, s, t, kind, w):
    order = falling(s)
    y, s, t, w = y[order], s[order], t[order], w[order]
    ends = np.r_[np.where(np.diff(s))[0], len(y) - 1]
    n1, y1, k = np.cumsum(w * t)[ends], np.cumsum(w * y * t)[ends], np.cumsum(w)[ends]
    n0, y0 = np.cumsum(w * (1 - t))[ends], np.cumsum(w * y * (1 - t))[ends]
    if kind == "uplift":
        value = (divide(y1, n1) - divide(y0, n0)) * k
    else:
        value = y1 - divide(y0 * n1, n0)
    return np.r_[0, k], np.r_[0, value]


def share_of_perfect(y, s, t, kind, w):
    x, v = curve(y, s, t, kind, w)
    if kind == "qini":
        perfect = y * t - y * (1 - t)
    else:
        more = np.sum(w[(y == 1) & (t == 0)]) > np.sum(w[(y == 0) & (t == 1)])
        perfect = 2 * (y == t) + (y if more else t)
    diagonal = x[-1] * v[-1] / 2
    return np.float64(area(x, v) - diagonal) / (area(*curve(y, perfect, t, kind, w)) - diagonal)


def from_zero(k, v):
    known = np.where(~np.isnan(v))[0]
    return np.interp(k, k[known], v[known])


def means_of_curves(y, s, t, w):
    order = np.argsort(-s, kind="stable")
    y, t, w = y[order], t[order], w[order]
    k, step, n = np.r_[0, np.cumsum(w)], np.r_[0, w], w.sum()
    n1, n0 = np.cumsum(w * t), np.cumsum(w * (1 - t))
    y1, y0 = np.cumsum(w * y * t), np.cumsum(w * y * (1 - t))
    with np.errstate(all="ignore"):
        lift = from_zero(k, np.r_[0, y1 / n1 - y0 / n0])
        gain, qini = lift * k, from_zero(k, np.r_[0, y1 - y0 * n1 / n0])
    line = qini[-1] / abs(qini[-1]) * (n + 1) / 2  # of so many rows at even heights
    return (
        np.sum(step * gain / abs(gain[-1])) / (n + 1),
        (np.sum(step * qini / abs(qini[-1])) - line) / (n + 1),
    )


def mean(a, w=None):
    return np.average(a, weights=w) if len(a) else np.nan


def first_rows(w, cut):
    """How many rows it takes to make up that much."""
    return 0 if cut == 0 else int(np.searchsorted(np.cumsum(w), cut - 1e-6)) + 1


def uplift_first(y, s, t, share, by_group, w):
    order = falling(s)
    y, t, w = y[order], t[order], w[order]
    if by_group:
        means = []
        for arm in (1, 0):
            own, own_w = y[t == arm], w[t == arm]
            m = first_rows(own_w, int(round(own_w.sum()) * share))
            means.append(mean(own[:m], own_w[:m]))
        return means[0] - means[1]
    m = first_rows(w, int(len(y) * share))
    y, t, w = y[:m], t[:m], w[:m]
    return mean(y[t == 1], w[t == 1]) - mean(y[t == 0], w[t == 0])


def ten_ends(n):
    return np.cumsum([n // 10 + (i < n % 10) for i in range(10)])


def weighted_uplift(y, s, t, by_group, w):
    order = falling(s)
    y, t, w = y[order], t[order], w[order]

    def pieces(rows):
        ends = [first_rows(w[rows], cut) for cut in ten_ends(len(rows))]
        return [rows[a:b] for a, b in zip([0, *ends], ends)]

    if by_group:
        bins = list(zip(pieces(np.where(t == 1)[0]), pieces(np.where(t == 0)[0])))
    else:
        bins = [(rows[t[rows] == 1], rows[t[rows] == 0]) for rows in pieces(np.arange(len(y)))]
    n = np.array([w[a].sum() for a, _ in bins])
    return (n * np.array([mean(y[a], w[a]) - mean(y[c], w[c]) for a, c in bins])).sum() / n.sum()


def rates(y, s, t, w):
    e = t.mean()
    m1, m0 = mean(y[t == 1], w[t == 1]), mean(y[t == 0], w[t == 0])
    score = m1 - m0 + (y - m1) * t / e - (y - m0) * (1 - t) / (1 - e)
    order = np.argsort(-s, kind="stable")
    score, ranked, w = score[order], s[order], w[order]
    for value in np.unique(ranked):
        score[ranked == value] = mean(score[ranked == value], w[ranked == value])
    k, n = np.cumsum(w), w.sum()
    toc = np.cumsum(w * score) / k - mean(score, w)
    return np.sum(w * toc) / n, np.sum(w * toc * k / n) / n


def weighted_clustered_se(y, t, w, clusters):
    """CR1 of a weighted regression on a constant and the arm."""
    X = np.column_stack([np.ones(len(y)), t])
    root = np.sqrt(w)[:, None] * X
    beta = least_squares(root, np.sqrt(w) * y)
    return np.sqrt(covariance(root, np.sqrt(w) * (y - X @ beta), "hc0", clusters)[1, 1])


def gap(x, t, w, clusters=None):
    """Treated less others in standard deviations, and its error; rows without x are left out."""
    means, variances, errors = [], [], []
    for arm in (1, 0):
        own = (t == arm) & ~np.isnan(x)
        if own.sum() < 2:
            return 0.0, 0.0
        m = mean(x[own], w[own])
        variance = mean((x[own] - m) ** 2, w[own]) * own.sum() / (own.sum() - 1)
        means, variances = [*means, m], [*variances, variance]
        errors.append(variance * np.sum(w[own] ** 2) / w[own].sum() ** 2)
    if means[0] == means[1]:
        return 0.0, 0.0
    deviation, se = np.sqrt(np.mean(variances)), np.sqrt(sum(errors))
    if clusters is not None:
        own = ~np.isnan(x)
        se = weighted_clustered_se(x[own], t[own], w[own], clusters[own])
    return (means[0] - means[1]) / deviation, se / deviation


def balance(columns, t, w, clusters=None):
    """columns: name -> numbers. The one that is farthest off, those first that are off by more than chance."""
    gaps = {name: gap(x, t, w, clusters) for name, x in columns.items()}
    off = {name for name, (difference, se) in gaps.items() if abs(difference) > max(0.1, 5 * se)}
    worst = max(gaps, key=lambda name: (name in off, abs(gaps[name][0])))
    return {"worst": worst, "difference": gaps[worst][0], "se": gaps[worst][1]}


def hajek(t, p):
    """Weights of rows with these probabilities of what was done; those of each arm sum to its rows."""
    w = np.ones(len(t)) if p is None else 1 / p
    return np.where(t == 1, w / w[t == 1].mean(), w / w[t == 0].mean())


def uplift(y, s, t, p=None):
    w = hajek(t, p)
    binary = set(np.unique(y)) <= {0.0, 1.0}
    auuc, qini_normalized = means_of_curves(y, s, t, w)
    autoc, rate_qini = rates(y, s, t, w)
    shares = [k / 10 for k in range(1, 11)]
    return {
        "n": len(y),
        "qini": share_of_perfect(y, s, t, "qini", w) if binary else None,
        "uplift_auc": share_of_perfect(y, s, t, "uplift", w) if binary else None,
        "auuc": auuc,
        "qini_normalized": qini_normalized,
        "autoc": autoc,
        "rate_qini": rate_qini,
        "effect": mean(y[t == 1], w[t == 1]) - mean(y[t == 0], w[t == 0]),
        "uplift_at_k": {
            name: {f"{k}": uplift_first(y, s, t, k, by_group, w) for k in shares}
            for name, by_group in (("overall", False), ("by_group", True))
        },
        "weighted_average_uplift": {
            "overall": weighted_uplift(y, s, t, False, w),
            "by_group": weighted_uplift(y, s, t, True, w),
        },
        "curves": {
            kind: np.column_stack(curve(y, s, t, kind, w)).tolist() for kind in ("qini", "uplift")
        },
    }


def calibration(y, s, t, p=None, clusters=None):
    """Bins of equal size by falling score, in which rows with weights may be in part; the slope is the coefficient
    of treatment times score."""
    w, order, bins = hajek(t, p), np.argsort(-s, kind="stable"), []
    ends = ten_ends(len(y)) if p is None else np.linspace(0, len(y), 11)[1:]
    k = np.r_[0, np.cumsum(w[order])]
    for low, high in zip([0, *ends], ends):
        inside = np.minimum(k[1:], high) - np.maximum(k[:-1], low)
        rows, part = order[inside > 1e-9], inside[inside > 1e-9]
        means, errors = [], []
        for arm in (1, 0):
            own, c = y[rows][t[rows] == arm], part[t[rows] == arm]
            means.append(mean(own, c))
            factor = len(own) / (len(own) - 1) if len(own) > 1 else np.nan
            errors.append(np.sum(c**2 * (own - means[-1]) ** 2) / c.sum() ** 2 * factor if len(own) > 1 else np.nan)
        se = np.sqrt(sum(errors))
        if clusters is not None and not np.isnan(se):
            alone = len(np.unique(clusters[rows])) < 2 or len(rows) < 3
            se = np.nan if alone else weighted_clustered_se(y[rows], t[rows], part, clusters[rows])
        bins.append({"n": part.sum() if p is not None else len(rows), "predicted": mean(s[rows], part),
                     "found": means[0] - means[1], "se": se})
    known = [b for b in bins if not np.isnan(b["found"])]
    off = sum(b["n"] * abs(b["found"] - b["predicted"]) for b in known) / sum(b["n"] for b in known)
    X = np.column_stack([np.ones(len(y)), s, t, t * s])
    root = np.sqrt(w)
    beta, *_ = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)
    bread = np.linalg.pinv((X.T * w) @ X)
    u = w * (y - X @ beta)
    factor = np.where(t == 1, np.sum(t) / (np.sum(t) - 2), np.sum(1 - t) / (np.sum(1 - t) - 2))
    se = np.sqrt((bread @ (X.T * (u**2 * factor)) @ X @ bread)[3, 3])
    if clusters is not None:
        se = np.sqrt(covariance(X * root[:, None], root * (y - X @ beta), "hc1", clusters)[3, 3])
    return {"slope": {"value": beta[3], "se": se, "ci": interval(beta[3], se)}, "predicted": mean(s, w), "error": off,
            "bins": bins}


def comparison(y, s, other, t, p=None):
    """What the score has more than the other, of everything that is one number."""
    own, base = uplift(y, s, t, p), uplift(y, other, t, p)
    for numbers, score in ((own, s), (base, other)):
        found = calibration(y, score, t, p)
        numbers |= {"calibration_slope": found["slope"]["value"], "calibration_error": found["error"]}

    def less(a, b):
        if isinstance(a, dict):
            return {k: less(a[k], b[k]) for k in a if k not in ("n", "curves", "effect")}
        return {"baseline": b, "difference": None if a is None or b is None else a - b}

    return less(own, base)


# ---- policies ----


def sequence_radius(sigma, n, tightest_at=10000, alpha=0.05):
    rho2 = (-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha))) / tightest_at
    return sigma * np.sqrt(
        2 * (n * rho2 + 1) / (n * n * rho2) * np.log(np.sqrt(n * rho2 + 1) / alpha)
    )


def cluster_sums(values, clusters):
    return np.array([values[clusters == c].sum() for c in np.unique(clusters)])


def error_of_mean(psi, clusters, is_ratio=False):
    n = len(psi)
    if clusters is not None:
        g = cluster_sums(psi, clusters)
        return np.sqrt(len(g) / (len(g) - 1) * np.sum(g * g)) / n
    return np.sqrt(np.sum(psi * psi) * (1 if is_ratio else n / (n - 1))) / n


def policy(w, pi, r, q=None, dm=None, clusters=None, uniform=False, clip=(), switch=(), dros=(), sg=()):
    """w, pi, r, q, dm: one each for a row. The lists hold texts, as they are written."""
    n, estimators, influences = len(r), {}, {}

    def add(name, value, psi, is_ratio=False, is_biased=False):
        se = error_of_mean(psi, clusters, is_ratio)
        radius = sequence_radius(se * np.sqrt(n), n)
        influences[name] = psi
        estimators[name] = {
            "value": value,
            "se": se,
            "ci": None if is_biased else interval(value, se),
            "draws": draws_of(psi, clusters),
            "sequential": None if is_biased or draws_of(psi, clusters) < 30 else [value - radius, value + radius],
        }

    def add_mean(name, terms, is_biased=False):
        is_same = terms.max() == terms.min()
        add(name, terms.mean(), np.zeros(n) if is_same else terms - terms.mean(), False, is_biased)

    def variants(given, default):
        return ([("", default)] if default else []) + [("_" + text, float(text)) for text in given]

    add_mean("ipw", w * r)
    v = (w * r).sum() / w.sum()
    add("snipw", v, w * (r - v) / w.mean(), True)
    if uniform:
        v = (pi * r).sum() / pi.sum()
        add("replay", v, pi * (r - v) / pi.mean(), True)
    else:
        estimators["replay"] = dict.fromkeys(("value", "se", "draws", "ci", "sequential"))
    for name, x in variants(clip, None):
        add_mean("ipw_clip" + name, np.minimum(w, x) * r, True)
    for name, x in variants(sg, 0.05):
        add_mean("sgipw" + name, w / (1 - x + x * w) * r, True)
    if q is not None:
        rest = r - q
        add_mean("dm", dm, True)
        add_mean("dr", dm + w * rest)
        g = (w * rest).sum() / w.sum()
        add("sndr", dm.mean() + g, dm - dm.mean() + w * (rest - g) / w.mean(), True)
        for name, x in variants(switch, 10):
            add_mean("switch_dr" + name, dm + np.where(w > x, 0, w) * rest, True)
        for name, x in variants(dros, 10):
            add_mean("dros" + name, dm + x * w / (w * w + x) * rest, True)
        for name, x in variants(sg, 0.05):
            add_mean("sgdr" + name, dm + w / (1 - x + x * w) * rest, True)
    totals = None if clusters is None else cluster_sums(w, clusters)
    best = "dr" if q is not None else "snipw"
    difference = estimators[best]["value"] - r.mean()
    se = error_of_mean(influences[best] - (r - r.mean()), clusters, best == "snipw")
    rounding = 1e-12 * np.abs(r).mean()
    if se * np.sqrt(n) <= rounding:
        se, difference = 0.0, 0.0 if abs(difference) <= rounding else difference
    return {
        "n": n,
        "ess": w.sum() ** 2 / (w * w).sum(),
        "max_weight": w.max(),
        "mean_weight": w.mean(),
        "mean_weight_se": error_of_mean(w - w.mean(), clusters),
        "ess_clusters": None if totals is None else totals.sum() ** 2 / (totals @ totals),
        "estimators": estimators,
        "logged_value": r.mean(),
        "difference": {"of": best, "value": difference, "se": se, "ci": interval(difference, se)},
    }


# ---- experiments ----


# ---- what rewards to expect, cross-fitted ----

MASK = 2**64 - 1
PENALTIES = [1e-6, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1, 3, 10]


def split(x):
    """One step of splitmix64."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK
    return x ^ x >> 31


class Chance:
    """xoshiro256** seeded by splitmix64, and Lemire's draws below a bound."""

    def __init__(self, seed):
        self.state = [split(seed + i * 0x9E3779B97F4A7C15) for i in range(4)]

    def next(self):
        rotated = lambda x, by: (x << by | x >> (64 - by)) & MASK
        a, b, c, d = self.state
        self.state = [a ^ b ^ d, a ^ b ^ c, a ^ c ^ (b << 17 & MASK), rotated(b ^ d, 45)]
        return rotated(b * 5 & MASK, 7) * 9 & MASK

    def below(self, bound):
        product = self.next() * bound
        while product & MASK < 2**64 % bound:
            product = self.next() * bound
        return product >> 64


def drawn_folds(count, fold_count, seed):
    """Evenly many of each, shuffled (Fisher and Yates)."""
    chance, folds = Chance(seed), np.arange(count) % fold_count
    for i in range(count - 1, 0, -1):
        j = chance.below(i + 1)
        folds[[i, j]] = folds[[j, i]]
    return folds


def key_of(owner):
    key = 0xCBF29CE484222325
    for byte in owner.encode():
        key = ((key ^ byte) * 0x100000001B3) & MASK
    return key


def owner_fold(owner, seed):
    key = key_of(owner)
    return (split(split(key) ^ split(seed * 64 + 4)) >> 33) % 5


def penalty_fold(owner, seed):
    """The first draw below 5 of a xoshiro256** seeded by splitmix64; the draws it would repeat are one in 2^61."""
    state = seed ^ (key_of(owner) * 0x9E3779B97F4A7C15 & MASK)
    second = split((state + 0x9E3779B97F4A7C15) & MASK)
    product = second * 5 & MASK
    return ((product << 7 | product >> 57) & MASK) * 9 % 2**64 * 5 >> 64


def design_of(values, is_nominal, outside):
    """Columns as functions of a table: standardised by the outside rows; categories a column per code, of the 64 most
    frequent, and missing where the code is none of these."""
    columns = []
    for j in range(values.shape[1]):
        codes, counts = np.unique(values[outside, j][~np.isnan(values[outside, j])], return_counts=True)
        known = codes[np.lexsort((codes, -counts))][:64]
        columns += [(j, code, known) for code in known] if is_nominal[j] else [(j, None, None)]

    def plain(table):
        return np.column_stack([
            table[:, j] if code is None else np.where(np.isin(table[:, j], known), table[:, j] == code, np.nan)
            for j, code, known in columns])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # columns of nothing
        mean, spread = (np.nan_to_num(of(plain(values[outside]), axis=0)) for of in (np.nanmean, np.nanstd))
    spread[spread < 1e-12 * (1 + abs(mean))] = 0
    return lambda table: np.column_stack([
        np.ones(len(table)), np.nan_to_num(np.divide(plain(table) - mean, spread, out=np.zeros((len(table), len(mean))), where=spread > 0))])


def ridge(X, y, penalty):
    scale = np.diag(np.r_[0, np.full(X.shape[1] - 1, (penalty + 1e-12) * len(X))])
    return np.linalg.solve(X.T @ X + scale, X.T @ y)


def chosen_ridge(X, y, folds):
    errors = [sum(np.sum((y[folds == f] - X[folds == f] @ ridge(X[folds != f], y[folds != f], penalty)) ** 2) for f in range(5))
              for penalty in PENALTIES]
    return ridge(X, y, PENALTIES[int(np.argmin(errors))])


def penalised_logit(X, y):
    penalty, beta = np.r_[0, np.full(X.shape[1] - 1, 1e-4 * len(X))], np.zeros(X.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-X @ beta))
        step = np.linalg.solve(X.T @ (X * (p * (1 - p))[:, None]) + np.diag(penalty + 1e-12), X.T @ (y - p) - penalty * beta)
        beta = beta + step * min(1, 4 / np.max(np.abs(step)))
    return beta


def expected_rewards(values, is_nominal, rewards, owners, options, seed, is_logistic):
    """q and dm; values: the option taken, then the case; options: per row the (probability, values of the option)."""
    folds = np.array([owner_fold(owner, seed) for owner in owners])
    q, dm, width = np.zeros(len(values)), np.zeros(len(values)), len(options[0][0][1])
    for fold in sorted(set(folds)):
        outside, inside = np.where(folds != fold)[0], np.where(folds == fold)[0]
        design = design_of(values, is_nominal, outside)
        inner = np.array([penalty_fold(owners[row], seed * 1000 + int(fold)) for row in outside])
        X = design(values[outside])
        beta = penalised_logit(X, rewards[outside]) if is_logistic else chosen_ridge(X, rewards[outside], inner)
        link = (lambda raw: 1 / (1 + np.exp(-raw))) if is_logistic else (lambda raw: raw)
        q[inside] = link(design(values[inside]) @ beta)
        for row in inside:
            for probability, option in options[row]:
                changed = np.r_[option, values[row, width:]][None]
                dm[row] += probability * link(design(changed) @ beta)[0]
    return q, dm


def clustered_se(a, c, owners_a, owners_c):
    """CR1 of a regression on a constant and the arm."""
    X = np.column_stack([np.ones(len(a) + len(c)), np.r_[np.ones(len(a)), np.zeros(len(c))]])
    y = np.r_[a, c]
    u = y - X @ least_squares(X, y)
    return np.sqrt(covariance(X, u, "hc0", np.r_[owners_a, owners_c])[1, 1])


def draws(moves):
    """0 where nothing moves."""
    if not np.any(moves):
        return 0
    return np.sum(moves**2) ** 2 / np.sum(moves**4)


def two_samples(a, c, tightest_at, owners_a=None, owners_c=None):
    diff = a.mean() - c.mean()
    se = np.sqrt(a.var(ddof=1) / len(a) + c.var(ddof=1) / len(c))
    if owners_a is not None:
        se = clustered_se(a, c, owners_a, owners_c)
    freedom = freedom_of(owners_a, owners_c)
    n = len(a) + len(c)
    radius = sequence_radius(se * np.sqrt(n), n, tightest_at)
    moves = np.r_[(a - a.mean()) / len(a), -(c - c.mean()) / len(c)]
    rests_on = draws(moves if owners_a is None else cluster_sums(moves, np.r_[owners_a, owners_c]))
    return {
        "diff": diff,
        "se": se,
        "draws": rests_on,
        "ci": interval(diff, se, freedom),
        **({"degrees_of_freedom": freedom} if owners_a is not None else {}),
        "z": diff / se,
        "p": two_sided(diff / se, freedom),
        "relative_lift": a.mean() / c.mean() - 1,
        "sequential": {"lower": diff - radius, "upper": diff + radius} if rests_on >= 30 else {"lower": None, "upper": None},
    }


def alike(scores, arms, names, shares, clusters):
    """Chi-square of D' V^-1 D: each cluster's scores by arm less their shares, of all arms but the last."""
    d = np.array([[np.sum(scores[clusters == g] * ((arms[clusters == g] == name) - p)) for name, p in zip(names, shares)]
                  for g in np.unique(clusters)])[:, :-1]
    chi2 = d.sum(axis=0) @ np.linalg.solve(d.T @ d, d.sum(axis=0))
    return {"chi2": chi2, "p": stats.chi2.sf(chi2, len(names) - 1)}


def sizes(variance, size, alpha, power):
    z = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
    return np.ceil(2 * variance * z * z / size**2)


def lost_alike(values, arms, names, clusters=None):
    """Missing values by arm; p only where five are expected to be missing, and to be there, in each."""
    missing = np.isnan(values)
    lost = np.array([[missing[arms == name].sum(), (~missing[arms == name]).sum()] for name in names])
    if not lost.sum(axis=0).all():
        return {"chi2": 0, "p": None}
    chi2, p, _, expected = stats.chi2_contingency(lost, correction=False)
    if clusters is not None and expected.min() >= 5:
        return alike(missing - missing.mean(), arms, names, lost.sum(axis=1) / len(values), clusters)
    return {"chi2": chi2, "p": p if expected.min() >= 5 else None}


def experiment(y, arms, names, control, x=None, guard=None, margin=0, shares=None, tightest_at=10000, plan=None,
               alpha=0.05, power=0.8, clusters=None):
    """y, x, guard: NaN where they are missing."""
    expected = np.full(len(names), 1 / len(names)) if shares is None else np.array(shares) / np.sum(shares)
    counts = np.array([np.sum(arms == name) for name in names])
    srm = dict(zip(("chi2", "p"), stats.chisquare(counts, expected * counts.sum())))
    if clusters is not None:
        srm = alike(np.ones(len(arms)), arms, names, expected, clusters)

    def compared(values, name):
        pick = [(arms == k) & ~np.isnan(values) for k in (name, control)]
        (a, c), owners = [values[rows] for rows in pick], [None if clusters is None else clusters[rows] for rows in pick]
        found = two_samples(a, c, tightest_at, *owners)
        variance = (a.var(ddof=1) + c.var(ddof=1)) / 2
        if clusters is not None:
            variance *= found["se"] ** 2 / two_samples(a, c, tightest_at)["se"] ** 2
        return a, found, sizes(variance, plan, alpha, power) if plan else None

    lost = {"y": lost_alike(y, arms, names, clusters)}
    if guard is not None:
        lost["guard"] = lost_alike(guard, arms, names, clusters)
    answer = {"n": int((~np.isnan(y)).sum()), "arms": {}, "attrition": lost,
              "srm": {"counts": {str(k): int(v) for k, v in zip(names, counts)}, **srm}}
    for name in names:
        if name == control:
            continue
        a, found, planned = compared(y, name)
        arm = {"n": len(a), "mean": a.mean(), "sd": a.std(ddof=1), **found}
        if plan:
            arm["planned_rows_per_arm"] = planned
        if x is not None:
            both = ((arms == name) | (arms == control)) & ~np.isnan(y + x)
            theta = np.cov(y[both], x[both])[0, 1] / x[both].var(ddof=1)
            _, found, planned = compared(y - theta * (x - x[both].mean()), name)
            if plan:
                arm["planned_rows_per_arm_cuped"] = planned
            arm["cuped"] = {"theta": theta, **{k: found[k] for k in ("diff", "se", "ci", "p")}}
        if guard is not None:
            _, found, _ = compared(guard, name)
            low, high = found["ci"] if margin > 0 else [-v for v in found["ci"][::-1]]
            verdict = "held" if low > -abs(margin) else "broken" if high < -abs(margin) else "undecided"
            arm["guardrails"] = {
                "guard": {k: found[k] for k in ("diff", "se", "ci")} | {"margin": margin, "verdict": verdict}
            }
        answer["arms"][str(name)] = arm
    return answer


# ---- gain for a spend ----


def frontier(effects, scores, costs, spends, baseline=None, clusters=None):
    """effects, scores and other effects, whose gains are taken off (row, arm)."""
    steps = []
    for row in range(len(effects)):
        hull = [(0.0, 0.0, 0.0)]
        for arm in np.argsort(costs, kind="stable"):
            point = (costs[arm], effects[row, arm], scores[row, arm])
            if point[1] <= hull[-1][1]:
                continue
            while len(hull) > 1:
                before = (hull[-1][1] - hull[-2][1]) / (hull[-1][0] - hull[-2][0])
                after = (point[1] - hull[-2][1]) / (point[0] - hull[-2][0])
                if before > after:
                    break
                hull.pop()
            hull.append(point)
        for a, b in zip(hull, hull[1:]):
            steps.append(((b[1] - a[1]) / (b[0] - a[0]), row, np.subtract(b, a)))
    steps.sort(key=lambda step: (-step[0], step[1]))
    n, most = len(effects), sum(step[2][0] for step in steps) / len(effects)

    def at(spend):
        left, gain, own = spend * n, 0.0, np.zeros(n)
        for _, row, (cost, effect, score) in steps:
            share = min(1, max(0, left) / cost)
            left -= cost
            gain += share * effect
            own[row] += share * score
        units.append(own)
        return {"spend": spend, "predicted_gain": gain / n, "gain": own.mean(), "se": error_of_mean(own - own.mean(), clusters)}

    units = []
    last, points = at(most), [at(s) for s in spends]
    if baseline is not None:
        for point, own, other in zip(points, units[1:], frontier(baseline, scores, costs, spends)["units"]):
            less = own - other
            point["difference"] = {"value": less.mean(), "se": error_of_mean(less - less.mean(), clusters)}
    return {
        "units": units[1:],
        "points": points,
        "max_spend": most,
        "gain_at_max_spend": last["gain"],
        "se_at_max_spend": last["se"],
    }


# ---- regressions ----


def keep_independent(X):
    """Columns that do not follow from those before them."""
    kept = []
    for c in range(X.shape[1]):
        trial = X[:, kept + [c]]
        if np.linalg.matrix_rank(trial / np.linalg.norm(trial, axis=0).clip(1e-300)) == len(kept) + 1:
            kept.append(c)
    return kept


def covariance(X, u, kind, clusters=None):
    n, k = X.shape
    bread = np.linalg.inv(X.T @ X)
    h = np.einsum("ij,jk,ik->i", X, bread, X)
    if clusters is not None:
        sums = np.array([X[clusters == c].T @ u[clusters == c] for c in np.unique(clusters)])
        g = len(sums)
        return bread @ (sums.T @ sums) @ bread * g / (g - 1) * (n - 1) / (n - k)
    if kind == "classical":
        return bread * (u @ u) / (n - k)
    weight = {"hc0": 1, "hc1": n / (n - k), "hc2": 1 / (1 - h), "hc3": 1 / (1 - h) ** 2}[kind]
    return bread @ (X.T @ (X * (weight * u * u)[:, None])) @ bread


def least_squares(X, y):
    return np.linalg.lstsq(X, y, rcond=None)[0]


def logit(X, t, others=None):
    """Probabilities of the rows, or of others, by the regression on the rows."""
    scale = np.abs(X).max(axis=0)
    others = (X if others is None else others) / scale
    X = X / scale
    beta = np.zeros(X.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-X @ beta))
        step = np.linalg.solve(X.T @ (X * (p * (1 - p))[:, None]), X.T @ (t - p))
        beta += step
        if np.abs(step).max() < 1e-14 * (1 + np.abs(beta).max()):
            break
    return 1 / (1 + np.exp(-others @ beta))


def stacked(equations, theta):
    """What each row adds to estimates that solve mean(equations(theta)) = 0; equations give (row, equation).

    Derivatives by complex steps, which are exact to rounding.
    """
    step = 1e-100
    moved = [equations(theta + 1j * step * unit).mean(axis=0).imag / step for unit in np.eye(len(theta))]
    return -np.linalg.solve(np.array(moved).T, equations(theta).T).T


def weighted_effect(y, t, design, p, estimand):
    design = design / np.abs(design).max(axis=0)
    beta = least_squares(design, np.log(p / (1 - p)))

    def weights(beta):
        odds = np.exp(design @ beta)
        return (t, (1 - t) * odds) if estimand == "att" else (t * (1 + 1 / odds), (1 - t) * (1 + odds))

    def equations(theta):
        k = design.shape[1]
        w1, w0 = weights(theta[:k])
        score = design * (t - 1 / (1 + np.exp(-design @ theta[:k])))[:, None]
        return np.column_stack([score, w1 * (y - theta[k]), w0 * (y - theta[k + 1])])

    w1, w0 = weights(beta)
    m1, m0 = (w1 @ y) / w1.sum(), (w0 @ y) / w0.sum()
    psi = stacked(equations, np.r_[beta, m1, m0])
    return m1 - m0, psi[:, -2] - psi[:, -1], m0, psi[:, -1]


def moved_by_rows(X, u, kind, direction):
    """How each row moves direction x coefficients, as the kind of errors has its residual."""
    bread = np.linalg.inv(X.T @ X)
    h = np.einsum("ij,jk,ik->i", X, bread, X)
    return X @ bread @ direction * u * {"hc2": 1 / np.sqrt(1 - h), "hc3": 1 / (1 - h)}.get(kind, 1)


def error_of_moves(moves, k, kind, clusters):
    n = len(moves)
    if clusters is None:
        return np.sqrt(np.sum(moves**2) * (n / (n - k) if kind == "hc1" else 1))
    sums = cluster_sums(moves, clusters)
    g = len(sums)
    return np.sqrt(np.sum(sums**2) * g / (g - 1) * (n - 1) / (n - k))


def draws_of(moves, clusters):
    return draws(moves if clusters is None else cluster_sums(moves, clusters))


def effect(y, t, X, method, estimand="ate", kind="hc1", clusters=None, means_are_known=False, folds=None):
    """folds: of aipw, which each row is in: models see the rows of others."""
    n = len(y)
    one = np.ones((n, 1))
    X = X[:, [c - 1 for c in keep_independent(np.column_stack([one, X])) if c > 0]]
    answer = {"n": n, "n_treated": int(t.sum()), "n_control": int(n - t.sum())}
    if method in ("difference", "ols", "lin"):
        of = t == 1 if estimand == "att" else np.ones(n, bool)  # whom the effect is of
        design = np.column_stack([one, t])
        if method == "ols":
            design = np.column_stack([design, X])
        if method == "lin":
            centred = X - X[of].mean(axis=0)
            design = np.column_stack([design, centred, t[:, None] * centred])
        beta = least_squares(design, y)
        value, se = beta[1], np.sqrt(covariance(design, y - design @ beta, kind, clusters)[1, 1])
        if method == "lin":  # each arm's own regression, of those whom the effect is of
            own = [np.column_stack([one, X]) @ least_squares(np.column_stack([one, X])[t == a], y[t == a]) for a in (0, 1)]
            value = np.mean((y - own[0])[of]) if estimand == "att" else np.mean(own[1] - own[0])
        without = design.copy()
        without[:, [1, *range(2 + X.shape[1], design.shape[1])]] = 0
        untreated = np.mean((without @ beta)[of])
        # What each row moves both by, through coefficients and through the means of covariates.
        means = of / of.sum()
        value_row, untreated_row = np.eye(design.shape[1])[1], means @ without
        value_drawn, untreated_drawn = np.zeros(n), means * (without @ beta - untreated)
        if method == "lin":
            value_drawn = means * (centred @ beta[2 + X.shape[1] :])
        if means_are_known:
            value_drawn = untreated_drawn = np.zeros(n)
        ratio_row = value_row / (untreated + value) + untreated_row * (1 / (untreated + value) - 1 / untreated)
        ratio_drawn = value_drawn / (untreated + value) + untreated_drawn * (1 / (untreated + value) - 1 / untreated)
        rest = y - design @ beta
        own_kind = "cr1" if clusters is not None else kind
        se_of = lambda row, drawn: error_of_moves(moved_by_rows(design, rest, own_kind, row) + drawn, len(beta), own_kind, clusters)
        if kind == "classical" and clusters is None:
            se_of = lambda row, drawn: np.sqrt(row @ covariance(design, rest, kind) @ row + drawn @ drawn)
        if method == "lin":
            se = se_of(value_row, value_drawn)
        log_se = se_of(ratio_row, ratio_drawn)
        drawn = value_drawn if method == "lin" else 0
        answer["draws"] = draws_of(moved_by_rows(design, rest, own_kind, value_row) + drawn, clusters)
        if own_kind == "classical":
            answer["draws"] = None
    else:
        design = np.column_stack([one, X])
        p = logit(design, t)
        if method == "ipw":
            value, psi, untreated, psi_untreated = weighted_effect(y, t, design, p, estimand)
        else:
            q0, q1 = np.empty(n), np.empty(n)
            parts = [folds == fold for fold in np.unique(folds)] if folds is not None else [np.ones(n, bool)]
            for inside in parts:
                seen = ~inside if folds is not None else inside
                p[inside] = logit(design[seen], t[seen], design[inside])
                for q, arm in ((q0, 0), (q1, 1)):
                    q[inside] = design[inside] @ least_squares(design[seen & (t == arm)], y[seen & (t == arm)])
            if estimand == "att":
                terms = (t - (1 - t) * p / (1 - p)) * (y - q0) / t.mean()
                value = terms.mean()
                psi = terms - t / t.mean() * value
                untreated = y[t == 1].mean() - value
                psi_untreated = t / t.mean() * (y - y[t == 1].mean()) - psi
            else:
                terms = q1 - q0 + t * (y - q1) / p - (1 - t) * (y - q0) / (1 - p)
                value = terms.mean()
                psi = terms - value
                psi_untreated = q0 + (1 - t) * (y - q0) / (1 - p)
                untreated = psi_untreated.mean()
                psi_untreated = psi_untreated - untreated
        se = error_of_mean(psi - psi.mean(), clusters)
        answer["draws"] = draws_of(psi - psi.mean(), clusters)
        ratio = psi / (untreated + value) + psi_untreated * (1 / (untreated + value) - 1 / untreated)
        log_se = error_of_mean(ratio - ratio.mean(), clusters)
        w = np.where(t == 1, 1, p / (1 - p)) if estimand == "att" else np.where(t == 1, 1 / p, 1 / (1 - p))
        answer["overlap"] = {
            "p_min": p.min(),
            "p_max": p.max(),
            "ess_treated": w[t == 1].sum() ** 2 / (w[t == 1] ** 2).sum(),
            "ess_control": w[t == 0].sum() ** 2 / (w[t == 0] ** 2).sum(),
            "certain": int(np.sum(np.minimum(p, 1 - p) < 1e-15)),
            "outside": int(np.sum((p < 0.1) | (p > 0.9))),
        }
    freedom = freedom_of(*(None if clusters is None else clusters[t == arm] for arm in (1, 0)))
    answer.update(estimate=value, se=se, ci=interval(value, se, freedom), p=two_sided(value / se, freedom))
    if clusters is not None:
        answer["degrees_of_freedom"] = freedom
    if set(np.unique(y)) <= {0.0, 1.0}:
        middle = np.log((untreated + value) / untreated) if untreated > 0 and untreated + value > 0 else np.nan
    else:
        middle, log_se = 0.91 * value / y.std(ddof=1), 0.91 * se / y.std(ddof=1)
    bound = lambda log: np.exp(abs(log)) + np.sqrt(np.exp(abs(log)) * (np.exp(abs(log)) - 1))
    reach = reach_of(freedom)
    near = 0 if min(abs(value) - reach * se, abs(middle) - reach * log_se) <= 0 else abs(middle) - reach * log_se
    answer["e_value"] = {"estimate": bound(middle), "ci": np.nan if np.isnan(middle) else bound(near)}
    return answer


# ---- instruments ----


def instruments(y, t, Zs, X, kind, clusters=None):
    n, one = len(y), np.ones((len(y), 1))
    exogenous = np.column_stack([one, X])
    everything = np.column_stack([exogenous, Zs])
    kept = keep_independent(everything)
    used = sum(c >= exogenous.shape[1] for c in kept)
    everything = everything[:, kept]
    exogenous = exogenous[:, [c for c in kept if c < exogenous.shape[1]]]
    project = lambda A, v: A @ least_squares(A, v)
    fitted = project(everything, t)
    projected, original = np.column_stack([exogenous, fitted]), np.column_stack([exogenous, t])
    beta = np.linalg.solve(projected.T @ original, projected.T @ y)
    u = y - original @ beta
    se = np.sqrt(covariance(projected, u, kind, clusters)[-1, -1])
    rest0, rest1 = t - project(exogenous, t), t - fitted
    freedom = n - everything.shape[1]
    f = (rest0 @ rest0 - rest1 @ rest1) / used / (rest1 @ rest1 / freedom)
    if clusters is not None:
        own = least_squares(everything, t)[-used:]
        f = own @ np.linalg.solve(covariance(everything, rest1, kind, clusters)[-used:, -used:], own) / used
    is_robust = clusters is not None or kind != "classical"
    below = freedom if clusters is None else len(set(clusters)) - 1
    explained = project(everything, u)
    sargan = n * (explained @ explained) / (u @ u)
    augmented = np.column_stack([original, rest1])
    gamma = least_squares(augmented, y)
    v = covariance(augmented, y - augmented @ gamma, kind, clusters)
    wu = gamma[-1] / np.sqrt(v[-1, -1])
    wu_freedom = n - augmented.shape[1] if clusters is None else below
    draws = np.inf if clusters is None else below

    # What the covariates leave of the instruments, and how these move t and y.
    beyond = everything[:, -used:] - np.column_stack([project(exogenous, z) for z in everything[:, -used:].T])
    squares = beyond.T @ beyond
    first = least_squares(everything, t)[-used:]
    effective = first @ squares @ first / np.trace(covariance(everything, rest1, kind, clusters)[-used:, -used:] @ squares)

    def anderson_rubin(b):
        e = y - b * t
        own = least_squares(everything, e)
        v = covariance(everything, e - everything @ own, kind, clusters)[-used:, -used:]
        return stats.f.sf(own[-used:] @ np.linalg.solve(v, own[-used:]) / used, used, below)

    def hansen():
        v = np.linalg.inv(covariance(everything, u, kind, clusters)[-used:, -used:])
        reduced = least_squares(everything, y)[-used:]
        b = (first @ v @ reduced) / (first @ v @ first)
        stat = (reduced - b * first) @ v @ (reduced - b * first)
        return {"stat": stat, "p": stats.chi2.sf(stat, used - 1)}

    return {
        "n": n,
        "estimate": beta[-1],
        "se": se,
        "ci": interval(beta[-1], se, draws),
        "p": two_sided(beta[-1] / se, draws),
        "first_stage_f": f,
        "effective_f": effective,
        "weak": bool(effective < 10),
        "sargan": {"stat": sargan, "p": stats.chi2.sf(sargan, used - 1)} if used > 1 and clusters is None else None,
        "hansen": hansen() if used > 1 and is_robust else None,
        "wu_hausman": {"t": wu, "p": 2 * stats.t.sf(abs(wu), wu_freedom)},
        "ols": least_squares(original, y)[-1],
    }, anderson_rubin


# ---- panels ----


def simplex(A, b, ridge=0.0, intercept=False):
    """argmin |A w - b|^2 + ridge |w|^2, w on the simplex: the best of all supports (few columns)."""
    if intercept:
        A, b = A - A.mean(axis=0), b - b.mean()
    k, best = A.shape[1], (np.inf, None)
    A, b = np.vstack([A, np.sqrt(ridge) * np.eye(k)]), np.r_[b, np.zeros(k)]
    for size in range(1, k + 1):
        for support in map(list, itertools.combinations(range(k), size)):
            first, others = A[:, support[0]], A[:, support[1:]]
            rest = least_squares(others - first[:, None], b - first)
            solution = np.r_[1 - rest.sum(), rest]
            if solution.min() < 0:
                continue
            w = np.zeros(k)
            w[support] = solution
            value = np.sum((A @ w - b) ** 2)
            if value < best[0]:
                best = (value, w)
    return best[1]


def panel(Y, treated, pre, method, left_out=()):
    """Y (unit, period). Returns estimate, root mean squares before and after, weights."""
    donors = [i for i in range(len(Y)) if i != treated and i not in left_out]
    D, y = Y[donors], Y[treated]
    post = Y.shape[1] - pre
    unit, time = np.full(len(donors), 1 / len(donors)), np.full(pre, 1 / pre)
    if method == "sc":
        unit = simplex(D[:, :pre].T, y[:pre])
    if method == "sdid":
        sigma = np.diff(D[:, :pre], axis=1).std(ddof=1)
        zeta2 = np.sqrt(post) * sigma**2
        unit = simplex(D[:, :pre].T, y[:pre], zeta2 * pre, True)
        time = simplex(D[:, :pre], D[:, pre:].mean(axis=1), (1e-6 * sigma) ** 2 * len(donors), True)
    gap = y - unit @ D
    if method != "sc":
        gap = gap - time @ gap[:pre]
    return {
        "estimate": gap[pre:].mean(),
        "pre_rmspe": np.sqrt(np.mean(gap[:pre] ** 2)),
        "post_rmspe": np.sqrt(np.mean(gap[pre:] ** 2)),
        "unit": dict(zip(donors, unit)),
        "time": time,
    }


def fit_before(Y, treated, pre, method):
    """Whether the weighted others can stand for the treated unit; slopes of np.polyfit."""
    found = panel(Y, treated, pre, method)
    unit, others = np.array(list(found["unit"].values())), np.delete(Y[:, :pre], treated, axis=0)
    y, count = Y[treated, :pre], len(others)
    gap = y - unit @ others
    left = others - others.mean(axis=0) - others.mean(axis=1)[:, None] + others.mean()
    slopes, slope = (np.polyfit(np.arange(pre), rows.T, 1)[0] for rows in (others, gap))
    error = slopes.std(ddof=1) * np.sqrt(1 + np.sum(unit**2))
    middle = np.arange(pre, Y.shape[1]).mean()
    return {
        "rmspe": np.sqrt(np.mean(gap**2)) if method == "sc" else gap.std(),
        "noise_of_others": np.sqrt(np.sum(left**2) / ((count - 1) * (pre - 1))),
        "spread_of_others": np.sqrt(np.mean(others.var(axis=0, ddof=1))),
        "outside_share": max(np.mean(y > others.max(axis=0)), np.mean(y < others.min(axis=0))),
        "slope": slope,
        "slope_p": two_sided(slope / error, count - 1),
        "drift": slope * (middle - found["time"] @ np.arange(pre)),
    }


def placebo(Y, treated, pre, method):
    own = panel(Y, treated, pre, method)
    others = [panel(Y, i, pre, method, (treated,)) for i in range(len(Y)) if i != treated]
    ratio = lambda e: e["post_rmspe"] / e["pre_rmspe"]
    rank = 1 + sum(ratio(e) >= ratio(own) for e in others)
    return rank, np.std([e["estimate"] for e in others], ddof=1)


# ---- long-term effects ----


def surrogate(H, y, E, t, matured=None):
    design = np.column_stack([np.ones(len(H)), H])
    beta = least_squares(design, y)
    V = covariance(design, y - design @ beta, "hc0")
    index = np.column_stack([np.ones(len(E)), E]) @ beta
    a, c = index[t == 1], index[t == 0]
    d = np.r_[0, E[t == 1].mean(axis=0) - E[t == 0].mean(axis=0)]
    sampling = a.var(ddof=1) / len(a) + c.var(ddof=1) / len(c)
    value, se = a.mean() - c.mean(), np.sqrt(sampling + d @ V @ d)
    answer = {
        "estimate": value,
        "se": se,
        "ci": interval(value, se),
        "se_sampling": np.sqrt(sampling),
        "first_stage": {"n": len(H), "r_squared": 1 - np.var(y - design @ beta) / np.var(y)},
        "direct_effect": None,
    }
    if matured is not None:
        known = ~np.isnan(matured)
        X = np.column_stack([np.ones(known.sum()), E[known], t[known]])
        gamma = least_squares(X, matured[known])
        se = np.sqrt(covariance(X, matured[known] - X @ gamma, "hc1")[-1, -1])
        answer["direct_effect"] = {
            "estimate": gamma[-1], "se": se, "p": 2 * stats.norm.sf(abs(gamma[-1] / se)), "n": int(known.sum())
        }
    return answer


def mixture_cure(elapsed, converted, delay):
    """Share, its error and rate, through the curvature in other coordinates than the C code's."""

    def loss(z):
        p, rate = 1 / (1 + np.exp(-z[0])), np.exp(z[1])
        yes = np.log(p * rate) - rate * delay[converted]
        no = np.log(1 - p + p * np.exp(-rate * elapsed[~converted]))
        return -(yes.sum() + no.sum())

    start = np.array([0.0, -np.log(delay[converted].mean())])
    z = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 5000}).x
    h, e = 1e-4, np.eye(2)
    second = [[(loss(z + h * (a + b)) - loss(z + h * (a - b)) - loss(z - h * (a - b)) + loss(z - h * (a + b))) / (4 * h * h)
               for b in e] for a in e]
    p = 1 / (1 + np.exp(-z[0]))
    return p, p * (1 - p) * np.sqrt(np.linalg.inv(second)[0, 0]), np.exp(z[1])


def kaplan_meier(elapsed, converted, delay, horizon):
    end, survival = np.where(converted, delay, elapsed), 1.0
    for time in np.unique(end[converted & (end <= horizon)]):
        survival *= 1 - np.sum(converted & (end == time)) / np.sum(end >= time)
    return 1 - survival


def kaplan_meier_se(elapsed, converted, delay, horizon):
    """Greenwood's."""
    end, sum_of = np.where(converted, delay, elapsed), 0.0
    for time in np.unique(end[converted & (end <= horizon)]):
        d, n = np.sum(converted & (end == time)), np.sum(end >= time)
        sum_of += d / (n * (n - d))
    return (1 - kaplan_meier(elapsed, converted, delay, horizon)) * np.sqrt(sum_of)


def windowed(elapsed, converted, delay, window):
    seen = elapsed >= window
    return np.mean(converted[seen] & (delay[seen] <= window)) if seen.any() else np.nan
