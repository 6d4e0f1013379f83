"""Which pixel belongs to which digit: (32, 32) classes a picture."""

import pictures


def get_calibration_data():
    """Pictures of training digits."""
    return pictures.training(200).pixels


def get_evaluation_data():
    """Pictures of test digits, and a class for each pixel."""
    found = pictures.evaluation()
    return found.pixels, found.masks
