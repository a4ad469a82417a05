"""Reads the cases of test_stats_paired --dump and compares every number with SciPy's, or with the definition where SciPy
has none; statsmodels is asked as well where it is installed. Prints TAP."""

import json
import math
import sys
from fractions import Fraction

import numpy as np
from scipy import stats

try:
    from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
    from statsmodels.stats.multitest import multipletests
except ImportError:
    sm_mcnemar = multipletests = None


def wilcoxon_by_definition(d):
    """The exact distribution of the sum of middle ranks, with whole numbers; beyond 50 pairs the normal one."""
    d = [x for x in d if abs(x) > 1e-12]
    if not d:
        return None
    rank = stats.rankdata(np.round(np.abs(d), 9))
    plus = sum(r for r, x in zip(rank, d) if x > 0)
    if len(d) > 50:
        return stats.wilcoxon(np.round(d, 9), method="approx", correction=False).pvalue
    count = {0: 1}
    for r in (round(2 * r) for r in rank):
        more = dict(count)
        for s, c in count.items():
            more[s + r] = more.get(s + r, 0) + c
        count = more
    middle = sum(rank) / 2
    extreme = sum(c for s, c in count.items() if abs(s / 2 - middle) >= abs(plus - middle))
    return float(Fraction(extreme, 2 ** len(d)))


def holm_by_definition(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    out, most = [0.0] * len(p), 0.0
    for k, i in enumerate(order):
        most = max(most, min(1.0, (len(p) - k) * p[i]))
        out[i] = most
    return out


def expected(c):
    d, b = np.array(c["d"]), np.array(c["b"])
    yield "t_p", 2 * stats.t.sf(abs(c["t"]), c["df"]), 1e-10
    # SciPy's own quantile is good to 8 digits, its tail to 13: the point is judged by the tail beyond it
    yield "t_point", stats.t.ppf(0.975, c["df"]), 1e-7
    yield "t_point", c["t_point"] * stats.t.sf(c["t_point"], c["df"]) / 0.025, 1e-9
    if len(set(c["d"])) > 1:
        yield "p_t", stats.ttest_1samp(d, 0).pvalue, 1e-10
        low, high = stats.t.interval(0.95, len(d) - 1, 0, stats.sem(d))
        yield "half", high, 1e-7
    yield "wilcoxon", wilcoxon_by_definition(c["d"]), 1e-12
    left = d[np.abs(d) > 1e-12]
    if 0 < len(left) <= 50 and len(set(np.abs(left))) == len(left):
        yield "wilcoxon", stats.wilcoxon(left, method="exact").pvalue, 1e-12  # without ties SciPy is exact
    n = c["x"] + c["y"]
    yield "mcnemar", stats.binomtest(c["x"], n, 0.5).pvalue if n else 1, 1e-8
    difference = d[:, None] - b[None, :]
    yield "cliff", ((difference > 1e-9).sum() - (difference < -1e-9).sum()) / difference.size, 1e-12
    for i, p in enumerate(holm_by_definition(c["p"])):
        yield ("holm", i), p, 1e-13
    if sm_mcnemar:
        yield "mcnemar", sm_mcnemar([[0, c["x"]], [c["y"], 0]], exact=True).pvalue, 1e-8
        for i, p in enumerate(multipletests(c["p"], method="holm")[1]):
            yield ("holm", i), p, 1e-13


def main():
    seen, wrong = {}, []
    for line in sys.stdin:
        case = json.loads(line)
        case["half"] = case["high"] - sum(case["d"]) / len(case["d"])
        for name, want, relative in expected(case):
            got = case[name[0]][name[1]] if isinstance(name, tuple) else case[name]
            kind = name[0] if isinstance(name, tuple) else name
            seen[kind] = seen.get(kind, 0) + 1
            if want is None or got is None:
                good = want is None and got is None
            else:
                good = math.isclose(got, want, rel_tol=relative, abs_tol=1e-13)
            if not good:
                wrong.append((kind, got, want, case))
    for number, kind in enumerate(sorted(seen), 1):
        bad = [w for w in wrong if w[0] == kind]
        print(f"{'not ' if bad else ''}ok {number} - {kind}: {seen[kind]} comparisons")
        for _, got, want, case in bad[:3]:
            print(f"#   {got!r} is not {want!r}: {json.dumps(case)[:300]}")
    if not seen:
        print("not ok 1 - no cases")
    print(f"1..{max(len(seen), 1)}")
    return 1 if wrong or not seen else 0


sys.exit(main())
