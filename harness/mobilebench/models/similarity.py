"""How alike two answers to the same samples are: one measure for parity, checks and reports."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mobilebench.models.array import Array
from mobilebench.records.answers import LARGEST_SNR_DB

#: Probabilities add up to 1, give or take what rounding to 8 bits does to each.
_STEP = 1 / 256

#: Of real numbers, differences of so many parts of a sample's largest value are rounding.
_ROUNDING = 1e-6

#: So many values are compared at a time, as float64.
_BLOCK = 1 << 20

#: Class numbers are counted modulo this, to know how many are equal by chance.
_CLASSES = 4096
#: From so many unequal class numbers on, those that are equal by chance are no sign of likeness.
_MANY = 10


@dataclass(frozen=True)
class Similarity:
    """One output of one model, compared with a reference.

    Attributes:
        snr_db: the power of the reference about its mean over that of the error, in dB, within
            ±150: a constant that all answers share says nothing of whether they are alike.
            Differences of rounding are no error: one step of a quantized output, a millionth of a
            sample's largest value of another. Of class numbers: all of them over those that
            differ, or, where ten or more do, those that would by chance, if these are fewer.
        largest_error: the largest absolute error, over the reference's spread: its largest value
            less its smallest (1 where that is 0).
        agreement: the share of samples, or positions, whose class is the same; None where there
            are none.
        worst_sample: the number of the sample with the largest error.
        error, largest: the largest absolute error, and the reference's largest absolute value.
        unequal: of class numbers: how many differ; None of other values.
    """

    snr_db: float
    largest_error: float
    agreement: float | None
    worst_sample: int
    error: float
    largest: float
    unequal: int | None = None


class Tally:
    """Compares one output with a reference, some samples at a time, of which only sums are kept.

    Args:
        step: what the next integer of a quantized output means; 0: it is not quantized.
        classes: whether the last axis has one score a class; None: it is taken for that if its
            values are shares of 1, in the reference. Whole numbers without a scale are classes.
    """

    def __init__(self, step: float = 0.0, classes: bool | None = None) -> None:
        self._step = step
        self._classes = classes
        self._signal = Spread()
        self._noise = 0.0
        self._low, self._high = math.inf, -math.inf
        self._error, self._worst = 0.0, 0
        self._compared = self._equal = 0
        self._counts: list[Array] | None = None
        self._samples = 0

    def add(self, reference: Array, found: Array) -> None:
        """Takes the next samples.

        Args:
            reference: (count, *shape of one sample), real numbers, whole ones or booleans.
            found: the same shape.

        Raises:
            ValueError: the shapes differ.
        """
        if reference.shape != found.shape:
            raise ValueError(f"shapes {reference.shape} and {found.shape} cannot be compared")
        rows = max(1, _BLOCK // max(1, reference[:1].size))
        for start in range(0, len(reference), rows):
            self._add(reference[start : start + rows], found[start : start + rows])

    def _add(self, reference: Array, found: Array) -> None:
        count, first = len(reference), self._samples
        self._samples += count
        if not reference.size:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            wanted = reference.astype(np.float64).reshape(count, -1)
            error = np.abs(found.astype(np.float64).reshape(count, -1) - wanted)
            largest = error.max(axis=1)
            if self._error < (most := float(largest.max())):
                self._error, self._worst = most, first + int(largest.argmax())
            # Right kernels differ in their last digit, which is all where an output hardly varies.
            rounding = np.maximum(
                self._step * (1 + _ROUNDING), _ROUNDING * np.abs(wanted).max(axis=1)
            )
            self._noise += float((error[error > rounding[:, np.newaxis]] ** 2).sum())
            self._signal.add(wanted.reshape(-1, 1))
        self._low = min(self._low, float(wanted.min()))
        self._high = max(self._high, float(wanted.max()))
        self._compare_classes(reference, found)

    def _compare_classes(self, reference: Array, found: Array) -> None:
        if reference.dtype.kind in "biu":
            equal = reference == found
            if are_class_numbers(reference):
                if self._counts is None:
                    self._counts = [np.zeros(_CLASSES), np.zeros(_CLASSES)]
                for place, numbers in enumerate((reference, found)):
                    flat = numbers.reshape(-1).astype(np.int64) % _CLASSES
                    self._counts[place] += np.bincount(flat, minlength=_CLASSES)
        elif self._classes is False:
            return
        elif self._classes or has_classes(reference):
            equal = reference.argmax(axis=-1) == found.argmax(axis=-1)
        else:
            self._classes = False
            return
        self._compared += equal.size
        self._equal += int(equal.sum())

    def similarity(self) -> Similarity:
        """How alike the samples are so far; without any they are those of an empty output."""
        # Where one sample's values are no shares of 1, those of the others are no classes either.
        known = self._compared and self._classes is not False
        agreement = self._equal / self._compared if known or self._counts else None
        is_empty = self._high < self._low
        spread = 0.0 if is_empty else self._high - self._low
        share = self._error / (spread or 1.0)
        return Similarity(
            snr_db=ratio_db(self._signal.power.sum(), self._noise)
            if self._counts is None
            else self._unequal_db(self._counts),
            largest_error=share if math.isfinite(share) else 1 / np.finfo(np.float64).eps,
            agreement=agreement,
            worst_sample=self._worst,
            error=self._error,
            largest=0.0 if is_empty else max(abs(self._low), abs(self._high)),
            unequal=None if self._counts is None else self._compared - self._equal,
        )

    def _unequal_db(self, counts: list[Array]) -> float:
        """Unequal class numbers as a ratio: of 90 % equal ones 10 dB, of 99 % 20 dB."""
        unequal = self._compared - self._equal
        would_be = float(self._compared)
        if unequal >= _MANY:
            would_be -= float((counts[0] * counts[1]).sum()) / self._compared
        return ratio_db(would_be, unequal)


class Spread:
    """The power about the mean of values that come a few at a time, column by column."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: Array = np.zeros(1)
        self._power: Array = np.zeros(1)

    def add(self, values: Array) -> None:
        """Takes float64 values, (count, columns)."""
        # Chan's way of adding variances: squares of the values themselves would cancel out.
        count, mean = len(values), values.mean(axis=0)
        both = self._count + count
        moved = mean - self._mean
        self._power = (
            self._power + ((values - mean) ** 2).sum(axis=0) + moved**2 * self._count * count / both
        )
        self._mean = self._mean + moved * count / both
        self._count = both

    @property
    def power(self) -> Array:
        """The sum of squares about the mean, of each column."""
        return self._power


def compare(reference: Array, found: Array, *, classes: bool | None = None) -> Similarity:
    """Compares one output with a reference.

    Args:
        reference: (count, *shape of one sample), real numbers, whole ones or booleans.
        found: the same shape.
        classes: as :class:`Tally` has it.

    Raises:
        ValueError: the shapes differ, or there are no samples.
    """
    if not len(reference):
        raise ValueError("no samples cannot be compared")
    tally = Tally(classes=classes)
    tally.add(reference, found)
    return tally.similarity()


def signal_to_noise(reference: Array, found: Array) -> float:
    """The power of the reference about its mean over that of the error, in dB, within ±150.

    A constant output has no signal, so that any difference from it, but for rounding, is all noise.

    Args:
        reference: (count, *shape of one sample).
        found: the same shape.
    """
    tally = Tally(classes=False)
    tally.add(reference.astype(np.float64), found)
    return tally.similarity().snr_db


def ratio_db(signal: float, noise: float) -> float:
    """A ratio of powers in dB, within ±150."""
    if noise == 0:
        return LARGEST_SNR_DB
    if not (signal > 0 and math.isfinite(signal + noise)):
        return -LARGEST_SNR_DB
    ratio = 10 * (math.log10(signal) - math.log10(noise))
    return max(-LARGEST_SNR_DB, min(LARGEST_SNR_DB, ratio))


def are_class_numbers(outputs: Array) -> bool:
    """Whether values name something, as argmax does: how far they are apart means nothing.

    Whole numbers of 8 and 16 bits may be pixels or sound, where it does.
    """
    kind = outputs.dtype
    return kind.kind == "b" or (kind.kind in "iu" and kind.itemsize >= 4)


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
