"""The small real models below ``tests/fixtures/models``, and data that fits them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

MODELS = Path(__file__).parents[1] / "fixtures" / "models"

#: One network, in float32 and in int8: 8x8x1 in, ten classes out.
BASELINE, CANDIDATE = MODELS / "small.tflite", MODELS / "small_int8.tflite"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def labelled(folder: Path) -> str:
    """A file of thirty random images that fit the two models, all of class 0."""
    x = np.random.default_rng(0).random((30, 8, 8, 1), dtype=np.float32)
    np.savez(folder / "labelled.npz", x_test=x, y_test=np.zeros(30, dtype=int))
    return str(folder / "labelled.npz")
