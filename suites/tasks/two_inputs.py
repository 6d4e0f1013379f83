"""The sum of two digits, each in a picture of its own: a model with two inputs, 19 classes."""

import numpy as np
from mobilebench.models.datasets import load_dataset


def pairs(part, count, seed):
    """Pairs of digits by input, and their sums."""
    data = load_dataset("mnist-subset")
    x, y = data.train if part == "train" else data.evaluation
    chosen = np.random.default_rng(seed).integers(len(x), size=(2, count))
    flat = (x.reshape(len(x), -1) / 255).astype(np.float32)
    left, right = (flat[numbers] for numbers in chosen)
    return {"left": left, "right": right}, np.asarray(y).reshape(-1)[chosen].sum(axis=0)


def get_calibration_data():
    """Pairs of training digits."""
    return pairs("train", 200, seed=5)[0]


def get_evaluation_data():
    """Pairs of test digits, and their sums."""
    return pairs("test", 1000, seed=6)
