"""Whether a tumour is benign, from thirty measurements of its cells (Street et al. 1993)."""

import numpy as np
from sklearn.datasets import load_breast_cancer

TEST = 200


def split():
    """Measurements and answers, to train with and to test with: 369 and 200 patients."""
    found = load_breast_cancer()
    order = np.random.default_rng(4).permutation(len(found.data))
    x = ((found.data - found.data.mean(axis=0)) / found.data.std(axis=0)).astype(np.float32)[order]
    y = found.target.astype(np.float32)[order]
    return (x[TEST:], y[TEST:]), (x[:TEST], y[:TEST])


def get_calibration_data():
    """Patients that the model was trained with."""
    return split()[0][0]


def get_evaluation_data():
    """Patients that it was not trained with, and 1 for benign."""
    return split()[1]
