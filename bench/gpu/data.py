"""Pictures for the GPU benchmark: data.py DIR [N]. N (60,000) pictures of 3x32x32 bytes in 10 classes: a smooth pattern
for each class at a random place, under noise, so that there is something to learn and nothing is zero."""

import sys
from pathlib import Path

import numpy as np


def main():
    folder, n = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60000
    r = np.random.default_rng(20)
    coarse = r.normal(size=(10, 3, 8, 8))
    patterns = np.kron(coarse, np.ones((1, 1, 4, 4)))
    labels = np.arange(n, dtype=np.int64) % 10
    labels = labels[r.permutation(n)]
    images = np.empty((n, 3, 32, 32), dtype=np.uint8)
    for k in range(n):
        dy, dx = r.integers(0, 32, 2)
        seen = np.roll(patterns[labels[k]], (dy, dx), (1, 2))
        images[k] = np.clip(128 + 18 * seen + 55 * r.normal(size=(3, 32, 32)), 0, 255).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)


if __name__ == "__main__":
    main()
