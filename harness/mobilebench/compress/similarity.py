"""The similarity of two models' outputs: one measure for classifiers, one for everything else.

Of a classifier it matters which class comes first. An image that was restored, a mask or a
prediction has no classes; there the error counts, beside the size of what is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebench.models.array import Array

#: Mean cosine similarity of a classifier's answers: below the first it is broken, below the second
#: worth a warning.
_COSINE_BROKEN = 0.9
_COSINE_POOR = 0.98
#: Share of samples whose top class stays the same, below which it is worth a warning.
_AGREEMENT_POOR = 0.9
#: The same for other models in dB: an error half as large as the answers, and one of a fifth.
_SNR_BROKEN = 6.0
_SNR_POOR = 14.0
#: Where noise too small to measure ends up, in dB.
MOST_SNR = 150.0


@dataclass(frozen=True)
class OutputSimilarity:
    """One output of two models, compared.

    Attributes:
        cosine: the mean cosine similarity of the answers.
        snr: the ratio of the answers' power to that of their error, in dB.
        agreement: the share of samples whose top class is the same; None if there are no classes.
    """

    cosine: float
    snr: float
    agreement: float | None

    @property
    def is_broken(self) -> bool:
        """Whether these are the answers of another model."""
        if self.agreement is None:
            return self.snr < _SNR_BROKEN
        return self.cosine < _COSINE_BROKEN

    @property
    def distance(self) -> str:
        """How far apart, in words."""
        if self.agreement is None:
            return f"an error of {error_share(self.snr):.0%} of the outputs ({self.snr:.1f} dB)"
        return f"a mean cosine similarity of {self.cosine:.3f} with those before"

    def findings(self) -> dict[str, Any]:
        """For the provenance."""
        if self.agreement is None:
            return {"cosine": self.cosine, "snr_db": self.snr}
        return {"cosine": self.cosine, "top1_agreement": self.agreement}

    def moved(self) -> list[str]:
        """Warnings if the answers are not quite those of before."""
        if self.agreement is None:
            return [f"outputs moved: {self.distance}"] if self.snr < _SNR_POOR else []
        moved = [f"outputs moved: {self.distance}"] if self.cosine < _COSINE_POOR else []
        if self.agreement < _AGREEMENT_POOR:
            moved.append(f"only {self.agreement:.0%} of the samples keep their class")
        return moved


def compare(before: Array, after: Array, *, labelled: bool) -> OutputSimilarity:
    """Compares one output of two models.

    Args:
        before: (samples, values).
        after: the same shape.
        labelled: whether the values are one score a class, as labels say; otherwise they are taken
            for that if they are probabilities that add up to 1.
    """
    agreement = None
    if before.shape[1] > 1 and (labelled or are_probabilities(before)):
        agreement = float((before.argmax(axis=1) == after.argmax(axis=1)).mean())
    return OutputSimilarity(_mean_cosine(before, after), signal_to_noise(before, after), agreement)


def are_probabilities(outputs: Array) -> bool:
    """Whether each row is a distribution: nothing below zero, a sum of 1 but for rounding."""
    return bool((outputs >= 0).all()) and np.allclose(outputs.sum(axis=1), 1, atol=0.05)


def signal_to_noise(wanted: Array, found: Array) -> float:
    """The ratio of the outputs' power to that of their error, in dB, 150 at most.

    Args:
        wanted: (samples, values) of the float model.
        found: the same shape, of the quantized one.
    """
    signal = float((wanted.astype(np.float64) ** 2).sum())
    error = float(((found.astype(np.float64) - wanted) ** 2).sum())
    if error == 0:
        return MOST_SNR
    if signal == 0:
        return -MOST_SNR
    return float(min(max(10 * np.log10(signal / error), -MOST_SNR), MOST_SNR))


def error_share(snr: float) -> float:
    """The error's size beside the outputs' size, from their ratio in dB."""
    return float(10 ** (-snr / 20))


def _mean_cosine(a: Array, b: Array) -> float:
    """The mean over samples; 1 for two zero vectors, 0 for one."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    products = np.divide((a * b).sum(axis=1), norms, out=np.zeros(len(a)), where=norms > 0)
    return float(np.where(both_zero, 1.0, products).mean())
