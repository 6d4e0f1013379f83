"""Which digits are in a picture: ten yes-or-no labels, of which one or two are yes."""

import pictures


def get_calibration_data():
    """Pictures of training digits."""
    return pictures.training(200).pixels


def get_evaluation_data():
    """Pictures of test digits, and ten labels each."""
    found = pictures.evaluation()
    return found.pixels, found.present
