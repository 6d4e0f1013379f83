"""What a compressed model's answers are judged by, beside those of before.

Of a classifier it matters which class comes first. An image that was restored, a mask or a
prediction has no classes; there the error counts, beside how far the right answers differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebench.models import similarity
from mobilebench.models.array import Array
from mobilebench.text import percent

#: Mean cosine similarity of a classifier's answers, below which it is broken.
_COSINE_BROKEN = 0.9
#: Share of samples (or positions) whose top class stays the same, below which it is worth a
#: warning: of the same weights, and of weights that were trained on.
_AGREEMENT_POOR = 0.9
_AGREEMENT_TRAINED = 0.7
#: The signal-to-noise ratio about the mean in dB: an error half as large as the answers' spread,
#: and one of a fifth.
_SNR_BROKEN = 6.0
_SNR_POOR = 14.0


@dataclass(frozen=True)
class OutputSimilarity:
    """One output of two models, compared.

    Attributes:
        cosine: the mean cosine similarity of the answers.
        snr: the power of the answers about their mean over that of their error, in dB.
        agreement: the share of samples whose top class is the same, or of all positions where each
            has a class; None if there are no classes.
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
        return (
            f"an error of {percent(_error_share(self.snr), 0)} of their spread ({self.snr:.1f} dB)"
        )

    def findings(self) -> dict[str, Any]:
        """For the provenance."""
        found = {"cosine": self.cosine, "snr_db": self.snr}
        return found if self.agreement is None else found | {"top1_agreement": self.agreement}

    def moved(self, *, trained: bool = False) -> list[str]:
        """Warnings if the answers are not quite those of before.

        Training makes a classifier surer or less sure, so that then only its classes count.
        """
        moved = []
        if self.snr < _SNR_POOR and not (trained and self.agreement is not None):
            moved.append(f"outputs moved: {self.distance}")
        limit = _AGREEMENT_TRAINED if trained else _AGREEMENT_POOR
        if self.agreement is not None and self.agreement < limit:
            moved.append(f"only {percent(self.agreement, 0)} of the samples keep their class")
        return moved


def compare(before: Array, after: Array, *, labelled: bool) -> OutputSimilarity:
    """Compares one output of two models.

    Args:
        before: (samples, *shape of one*); whole numbers are classes.
        after: the same shape.
        labelled: whether a row of values is one score a class, as labels say; otherwise they are
            taken for that if they are probabilities that add up to 1.
    """
    is_row = before.shape[-1] > 1 and before[0].size == before.shape[-1]
    found = similarity.compare(before, after, classes=True if labelled and is_row else None)
    rows = (values.reshape(len(values), -1) for values in (before, after))
    return OutputSimilarity(_mean_cosine(*rows), found.snr_db, found.agreement)


def _error_share(snr: float) -> float:
    """The error's size beside the outputs' spread, from their ratio in dB."""
    return float(10 ** (-snr / 20))


def _mean_cosine(a: Array, b: Array) -> float:
    """The mean over samples; 1 for two zero vectors, 0 for one."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    products = np.divide((a * b).sum(axis=1), norms, out=np.zeros(len(a)), where=norms > 0)
    return float(np.where(both_zero, 1.0, products).mean())
