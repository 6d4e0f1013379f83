"""Vectors that lie near each other where digits are alike: each is found by its neighbours.

Half of the digits, 5 to 9, are kept from the training, so that what is measured is whether writing
that the model never saw a name for is told apart, too.
"""

import numpy as np
import pictures

#: The model is trained with digits below that, and evaluated on the others.
FIRST_UNSEEN = 5


def split(part):
    """Pictures (count, 28, 28, 1), 0 to 1, and digits: 0 to 4 of ``train``, 5 to 9 of ``test``."""
    x, y = pictures.digits(part)
    chosen = y < FIRST_UNSEEN if part == "train" else y >= FIRST_UNSEEN
    return x[chosen, :, :, np.newaxis], y[chosen]


def get_calibration_data():
    """Digits that the model was trained with."""
    return split("train")[0][:200]


def get_evaluation_data():
    """Digits of kinds that it was not trained with, and which digit each is."""
    return split("test")
