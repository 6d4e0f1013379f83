"""How alike two answers to the same samples are: one measure for parity, checks and reports."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mobilebench.models.array import Array
from mobilebench.records.answers import LARGEST_SNR_DB

#: Probabilities add up to 1, give or take what rounding to 8 bits does to each.
_STEP = 1 / 256

#: Differences of so many parts of the largest value are those of rounding to float32.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Similarity:
    """One output of one model, compared with a reference.

    Attributes:
        snr_db: the power of the reference about its mean over that of the error, in dB, within
            ±150: a constant that all answers share says nothing of whether they are alike. Of
            numbers of classes: all values over those that differ.
        largest_error: the largest absolute error, over the reference's spread: its largest value
            less its smallest (1 where that is 0).
        agreement: the share of samples, or positions, whose class is the same; None where there
            are none.
        worst_sample: the number of the sample with the largest error.
    """

    snr_db: float
    largest_error: float
    agreement: float | None
    worst_sample: int


def compare(reference: Array, found: Array, *, classes: bool | None = None) -> Similarity:
    """Compares one output with a reference.

    Args:
        reference: (count, *shape of one sample), real numbers, whole ones or booleans.
        found: the same shape.
        classes: whether the last axis has one score a class; None: it is taken for that if its
            values are shares of 1, in the reference. Whole numbers without a scale are classes.

    Raises:
        ValueError: the shapes differ, or there are no samples.
    """
    if reference.shape != found.shape or not len(reference):
        raise ValueError(f"shapes {reference.shape} and {found.shape} cannot be compared")
    wanted = reference.astype(np.float64).reshape(len(reference), -1)
    given = found.astype(np.float64).reshape(wanted.shape)
    error = np.abs(given - wanted)
    spread = float(np.ptp(wanted)) if wanted.size else 0.0
    largest = error.max(axis=1, initial=0.0)
    agreement: float | None = None
    if reference.dtype.kind in "biu":
        agreement = float((reference == found).mean()) if reference.size else None
    elif has_classes(reference) if classes is None else classes:
        agreement = float((reference.argmax(axis=-1) == found.argmax(axis=-1)).mean())
    numbered = agreement is not None and are_numbers_of_classes(reference)
    return Similarity(
        snr_db=_unequal_db(agreement or 0.0) if numbered else signal_to_noise(reference, found),
        largest_error=float(largest.max()) / (spread or 1.0),
        agreement=agreement,
        worst_sample=int(largest.argmax()),
    )


def are_numbers_of_classes(outputs: Array) -> bool:
    """Whether values name something, as argmax does: how far they are apart means nothing.

    Whole numbers of 8 and 16 bits may be pixels or sound, where it does.
    """
    kind = outputs.dtype
    return kind.kind == "b" or (kind.kind in "iu" and kind.itemsize >= 4)


def _unequal_db(equal: float) -> float:
    """A share of equal values as a ratio: 90 % is 10 dB, 99 % is 20 dB, all are 150 dB."""
    return min(LARGEST_SNR_DB, 10 * math.log10(1 / (1 - equal))) if equal < 1 else LARGEST_SNR_DB


def has_classes(outputs: Array) -> bool:
    """Whether an output looks like one score a class: several values that are shares of 1."""
    return outputs.ndim > 1 and outputs.shape[-1] > 1 and are_probabilities(outputs)


def are_probabilities(outputs: Array) -> bool:
    """Whether each last axis is a distribution: nothing below zero, a sum of 1 but for rounding."""
    if not outputs.size:
        return False
    slack = 0.01 + _STEP * math.sqrt(outputs.shape[-1])
    # At once, without copies: outputs may be large.
    return bool(outputs.min() >= -_STEP) and bool(
        (np.abs(outputs.sum(axis=-1, dtype=np.float64) - 1) <= slack).all()
    )


def signal_to_noise(reference: Array, found: Array) -> float:
    """The power of the reference about its mean over that of the error, in dB, within ±150.

    A constant output has no signal, so that any difference from it, but for rounding, is all noise.

    Args:
        reference: (count, *shape of one sample).
        found: the same shape.
    """
    wanted, given = reference.astype(np.float64), found.astype(np.float64)
    if not wanted.size:
        return LARGEST_SNR_DB
    with np.errstate(over="ignore", invalid="ignore"):
        error = given - wanted
        noise = float((error**2).sum())
        signal = float(((wanted - wanted.mean()) ** 2).sum())
    rounding = _ROUNDING * float(np.abs(wanted).max())
    if noise == 0 or (signal == 0 and float(np.abs(error).max()) <= rounding):
        return LARGEST_SNR_DB
    if signal == 0 or not math.isfinite(signal + noise):
        return -LARGEST_SNR_DB
    ratio = 10 * (math.log10(signal) - math.log10(noise))
    return max(-LARGEST_SNR_DB, min(LARGEST_SNR_DB, ratio))
