"""Digits restored through a narrow neck: the output should be the input."""

import numpy as np
from mobilebench.models.datasets import load_dataset


def split():
    """Digits to train with and to test with, (count, 784), 0 to 1."""
    data = load_dataset("mnist-subset")
    return tuple(
        (part[0].reshape(len(part[0]), -1) / 255).astype(np.float32)
        for part in (data.train, data.evaluation)
    )


def get_calibration_data():
    """Digits that the model was trained with."""
    return split()[0][:200]


def get_evaluation_data():
    """Digits that it was not trained with, and the same again as what is to be restored."""
    test = split()[1][:1000]
    return test, test
