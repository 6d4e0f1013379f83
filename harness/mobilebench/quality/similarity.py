"""How alike two models' answers to the same samples are."""

from __future__ import annotations

import math

import numpy as np

from mobilebench.models.array import Array
from mobilebench.records.answers import LARGEST_SNR_DB

#: Probabilities add up to 1, give or take what rounding to 8 bits does to each.
_STEP = 1 / 256


def snr_db(reference: Array, answers: Array) -> float:
    """The signal-to-noise ratio of answers (dB, between -150 and 150).

    The signal is what varies of the reference: its distance from its mean. A constant output has
    none, so that any difference from it is all noise.

    Args:
        reference: (samples, ...) real numbers.
        answers: likewise.
    """
    true, given = reference.astype(np.float64), answers.astype(np.float64)
    if not true.size:
        return LARGEST_SNR_DB
    noise = float(((given - true) ** 2).sum())
    signal = float(((true - true.mean()) ** 2).sum())
    if noise == 0:
        return LARGEST_SNR_DB
    if signal == 0 or not math.isfinite(signal + noise):
        return -LARGEST_SNR_DB
    found = 10 * (math.log10(signal) - math.log10(noise))
    return max(-LARGEST_SNR_DB, min(LARGEST_SNR_DB, found))


def agreement(reference: Array, answers: Array) -> float:
    """The share of equal classes: of the largest value along the last axis."""
    return float(np.mean(reference.argmax(axis=-1) == answers.argmax(axis=-1)))


def are_probabilities(values: Array) -> bool:
    """Whether the last axis holds the probabilities of classes, so that its largest is a class."""
    if values.ndim < 2 or values.shape[-1] < 2 or not values.size:
        return False
    slack = 0.01 + _STEP * math.sqrt(values.shape[-1])
    total = values.sum(axis=-1)
    return bool(values.min() >= -_STEP and (np.abs(total - 1) <= slack).all())
