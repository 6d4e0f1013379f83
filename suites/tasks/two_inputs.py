"""The sum of two digits, each in a picture of its own: a model with two inputs, 19 classes."""

import numpy as np
import pictures


def pairs(part, count, seed):
    """Pairs of digits by input, and their sums."""
    x, y = pictures.digits(part)
    chosen = np.random.default_rng(seed).integers(len(x), size=(2, count))
    left, right = (x.reshape(-1, 784)[numbers] for numbers in chosen)
    return {"left": left, "right": right}, y[chosen].sum(axis=0)


def get_calibration_data():
    """Pairs of training digits."""
    return pairs("train", 200, seed=5)[0]


def get_evaluation_data():
    """Pairs of test digits, and their sums."""
    return pairs("test", 1000, seed=6)
