"""Whether a device computes what the file says: its answers against the reference answers.

A batch at a time, so that only sums are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mobilebench.devices.base import TrialError
from mobilebench.models.array import Array
from mobilebench.models.similarity import are_probabilities
from mobilebench.records.answers import LARGEST_SNR_DB, OutputParity
from mobilebench.records.interface import Interface
from mobilebench.runs.references import Reference

#: Of real numbers, differences of so many parts of a sample's largest value are those of rounding.
_ROUNDING = 1e-6


class Parity:
    """Compares the answers to the samples that have reference answers.

    Args:
        reference: of the same file.
        interface: of the file.
    """

    def __init__(self, reference: Reference, interface: Interface) -> None:
        self._reference = reference
        self._tallies = [
            _Tally(end.name, end.quantization.scale if end.quantization else 0.0)
            for end in interface.outputs
        ]
        self.reason = reference.reason
        self.samples = 0

    def add(self, start: int, outputs: Sequence[Array]) -> None:
        """Takes the device's answers to the batch that begins with a sample."""
        if self.reason:
            return
        try:
            expected = self._reference.answers(start)
        except TrialError as error:
            self.reason = f"the reference answers are damaged: {error.reason}"
            return
        if not expected:
            return
        rows = len(expected[0])
        for tally, wanted, given in zip(self._tallies, expected, outputs, strict=True):
            if wanted.shape[1:] != given.shape[1:]:
                self.reason = (
                    f"output {tally.name!r} has the shape {list(given.shape[1:])} on the device, "
                    f"and {list(wanted.shape[1:])} in the reference answers"
                )
                return
            for row in range(rows):
                tally.add(start + row, wanted[row], given[row])
        self.samples += rows

    def found(self) -> tuple[OutputParity, ...]:
        """How alike each output is; nothing where ``reason`` says why."""
        return () if self.reason else tuple(tally.found() for tally in self._tallies)


class _Tally:
    """What is kept of one output; ``step`` is what the next integer of a quantized one means."""

    def __init__(self, name: str, step: float) -> None:
        self.name = name
        self._step = step
        self._count = 0
        self._mean = self._squares = self._error = 0.0
        self._low, self._high = math.inf, -math.inf
        self._largest, self._worst = 0.0, 0
        self._rows = self._equal = 0
        self._classes = True

    def add(self, number: int, wanted: Array, given: Array) -> None:
        """Takes one sample's answer and its reference."""
        true, found = wanted.astype(np.float64), given.astype(np.float64)
        if not true.size:
            return
        error = np.abs(found - true)
        if self._largest < (largest := float(error.max())):
            self._largest, self._worst = largest, number
        # Right kernels differ in their last digit, which is all where an output hardly varies.
        rounding = max(self._step * (1 + _ROUNDING), _ROUNDING * float(np.abs(true).max()))
        self._error += float((error[error > rounding] ** 2).sum())
        self._low = min(self._low, float(true.min()))
        self._high = max(self._high, float(true.max()))
        # Chan's way of adding variances: squares of the values themselves would cancel out.
        mean, count = float(true.mean()), self._count + true.size
        self._squares += float(((true - mean) ** 2).sum())
        self._squares += (mean - self._mean) ** 2 * self._count * true.size / count
        self._mean += (mean - self._mean) * true.size / count
        self._count = count
        self._classes = self._classes and are_probabilities(true[np.newaxis])
        if self._classes:
            equal = true.argmax(axis=-1) == found.argmax(axis=-1)
            self._rows += equal.size
            self._equal += int(equal.sum())

    def found(self) -> OutputParity:
        """How alike the answers were."""
        # Without any sample the sums are those of an empty output, which is like itself.
        spread = self._high - self._low if self._count else 0.0
        largest = self._largest / (spread or 1.0)
        return OutputParity(
            self.name,
            self._snr(),
            largest if math.isfinite(largest) else 1 / np.finfo(np.float64).eps,
            self._equal / self._rows if self._classes and self._rows else None,
            self._worst,
            self._largest,
            max(abs(self._low), abs(self._high)) if self._count else 0.0,
        )

    def _snr(self) -> float:
        if self._error == 0:
            return LARGEST_SNR_DB
        if not (self._squares > 0 and math.isfinite(self._squares + self._error)):
            return -LARGEST_SNR_DB
        snr = 10 * (math.log10(self._squares) - math.log10(self._error))
        return max(-LARGEST_SNR_DB, min(LARGEST_SNR_DB, snr))
