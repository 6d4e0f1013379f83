"""What a task is: how answers become a few numbers a sample, and those a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mobilebench.models.array import Array

#: Numbers of all samples, by name: arrays of one row a sample.
Rows = Mapping[str, Array]


class QualityError(Exception):
    """Why answers cannot be scored, in one sentence. It never ends a run: quality is left out."""


#: Of labels, outputs and inputs: the positions of the outputs that are scored.
Fit = Callable[[Array, Sequence[Array], Sequence[Array]], tuple[int, ...]]

#: Of outputs, labels and inputs: rows.
Reduce = Callable[[Sequence[Array], Array, Sequence[Array]], dict[str, Array]]


def _as_they_are(rows: Rows) -> Rows:
    return rows


@dataclass(frozen=True)
class Task:
    """A kind of answers, and how they are scored.

    Attributes:
        name: what suites call it.
        metrics: names in ``metrics.registry()``, the primary one first. What the data do not bear
            (``top5`` of three classes) is left out of the scores.
        fits: the positions of the outputs that are scored, given the labels of all samples and any
            number of outputs and inputs; raises QualityError where they are not of this task.
        rows: the answers of those outputs to a batch, as arrays of one row a sample.
        score: rows to each metric's value, whatever their order; resampled rows, too. NaN where
            these rows have none.
        gather: what rows need to know of each other, before any are resampled: once for all rows.
        counted: metrics that are the share of gathered rows in which that array is true.
        positions: of the outputs that are scored; None: all of them.
    """

    name: str
    metrics: tuple[str, ...]
    fits: Fit
    rows: Reduce
    score: Callable[[Rows], dict[str, float]]
    gather: Callable[[Rows], Rows] = _as_they_are
    counted: Mapping[str, str] = field(default_factory=dict)
    positions: tuple[int, ...] | None = None

    def fitted(self, labels: Array, outputs: Sequence[Array], inputs: Sequence[Array]) -> Task:
        """The task of those of the outputs that it scores.

        Raises:
            QualityError: labels or outputs are not of this task.
        """
        return replace(self, positions=self.fits(labels, outputs, inputs))

    def reduce(
        self, outputs: Sequence[Array], labels: Array, inputs: Sequence[Array] = ()
    ) -> dict[str, Array]:
        """The answers to a batch of samples as a few numbers a sample.

        Args:
            outputs: all the model's, each (count, *shape of one sample): real numbers where they
                were quantized.
            labels: (count, ...).
            inputs: all the model's, each (count, *shape of one sample), real numbers likewise;
                only ``reconstruction`` of samples labelled as anomalies looks at them.

        Raises:
            QualityError: they do not fit.
        """
        if self.positions is not None:
            outputs = [outputs[position] for position in self.positions]
        return self.rows(outputs, labels, inputs)


def take(rows: Rows, which: Array) -> dict[str, Array]:
    """Some of the rows: by number, or by a mask."""
    return {name: array[which] for name, array in rows.items()}
