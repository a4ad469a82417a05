"""Pictures for the GPU benchmark: data.py DIR [N]. N (60,000) pictures of 3x32x32 bytes in 10 classes: a smooth pattern
for each class at a random place, faint to clear, under noise: there is something to learn, in no picture is it zero, and
no network gets all of it right, so that networks can be told apart by their accuracy."""

import sys
from pathlib import Path

import numpy as np

PIECE = 2000


def main():
    folder, n = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60000
    r = np.random.default_rng(20)
    coarse = r.normal(size=(10, 3, 8, 8))
    patterns = np.kron(coarse, np.ones((1, 1, 4, 4))).astype(np.float32)
    labels = r.permutation(np.arange(n, dtype=np.int64) % 10)
    images = np.empty((n, 3, 32, 32), dtype=np.uint8)
    at = np.arange(32)
    for k in range(0, n, PIECE):
        y = labels[k:k + PIECE]
        rows = (at + r.integers(0, 32, (len(y), 1))) % 32
        columns = (at + r.integers(0, 32, (len(y), 1))) % 32
        seen = patterns[y[:, None, None], :, rows[:, :, None], columns[:, None, :]].transpose(0, 3, 1, 2)
        strength = r.uniform(2, 30, (len(y), 1, 1, 1)).astype(np.float32)
        noise = r.standard_normal((len(y), 3, 32, 32), dtype=np.float32)
        images[k:k + PIECE] = np.clip(128 + strength * seen + 45 * noise, 0, 255)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)


if __name__ == "__main__":
    main()
