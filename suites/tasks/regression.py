"""How far diabetes had gone a year later, from ten measurements (Efron et al. 2004)."""

import numpy as np
from sklearn.datasets import load_diabetes

TEST = 150


def split():
    """Measurements and targets, to train with and to test with: 292 and 150 people."""
    found = load_diabetes()
    order = np.random.default_rng(3).permutation(len(found.data))
    x = (found.data / found.data.std(axis=0)).astype(np.float32)[order]
    y = found.target.astype(np.float32)[order]
    return (x[TEST:], y[TEST:]), (x[:TEST], y[:TEST])


def get_calibration_data():
    """People that the model was trained with."""
    return split()[0][0]


def get_evaluation_data():
    """People that it was not trained with, and their targets."""
    return split()[1]
