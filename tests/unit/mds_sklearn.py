"""Distance matrices from `test_map --dump` with the raw stress of our map: scikit-learn's MDS of the same distances, by
its defaults (the best of four random starts) and once more stopped as late as we stop, must not come lower. Prints TAP."""
import json
import sys
import warnings

import numpy as np
from sklearn.manifold import MDS

warnings.filterwarnings("ignore")
worse, n = [], 0
for line in sys.stdin:
    v = json.loads(line)
    d = np.array(v["d"]).reshape(v["n"], v["n"])
    floor = 1e-9 * (d**2).sum()  # where the distances are those of a plane, both are zero but for rounding
    for more in ({}, {"eps": 1e-7, "max_iter": 1000}):
        theirs = MDS(dissimilarity="precomputed", n_init=4, random_state=n, **more).fit(d).stress_
        if v["stress"] > theirs * (1 + 1e-5) + floor:
            worse.append((v["n"], v["stress"], theirs))
    n += 1
for w in worse:
    print("# %d points: stress %.9g, scikit-learn %.9g" % w)
print(f"# {n} matrices, {len(worse)} with more stress than scikit-learn's")
print(("not ok" if worse or not n else "ok") + " 1 - stress of maps against scikit-learn")
print("1..1")
