"""Digits restored through a narrow neck: the output should be the input."""

import pictures


def split():
    """Digits to train with and to test with, (count, 784), 0 to 1."""
    return tuple(pictures.digits(part)[0].reshape(-1, 784) for part in ("train", "test"))


def get_calibration_data():
    """Digits that the model was trained with."""
    return split()[0][:200]


def get_evaluation_data():
    """Digits that it was not trained with: without labels, each is what is to be restored."""
    return split()[1][:1000]
