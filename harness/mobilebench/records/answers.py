"""What a trial's answers came to: who answered which samples, how well, and how alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

_Count = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]

#: A signal-to-noise ratio beyond this is no longer told apart from equality (dB).
LARGEST_SNR_DB = 150.0


@dataclass(frozen=True)
class Score:
    """One quality metric of one trial.

    Attributes:
        name: of a metric in ``metrics.registry()``, such as ``accuracy`` or ``miou``.
        value: in the metric's unit.
        low, high: its 95 % interval; None where there is none.
        n: how many samples it is of.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: _Count


@dataclass(frozen=True)
class OutputParity:
    """How alike one output on the device is to the reference answers of the same file.

    Attributes:
        output: its name in the file's interface.
        snr_db: signal-to-noise ratio about the reference's mean, at most 150 dB either way.
            Differences of rounding are no noise: one step of a quantized output, a millionth of a
            sample's largest value of another.
        largest_error: the largest absolute error, over the reference's spread: its largest value
            less its smallest (1 where that is 0).
        agreement: the share of equal classes (argmax of the last axis); None where the output
            looks like none.
        worst_sample: the number of the sample with the largest error.
        error, largest: the largest absolute error, and the reference's largest absolute value;
            None in runs of older versions.
    """

    output: str
    snr_db: Annotated[float, Field(ge=-LARGEST_SNR_DB, le=LARGEST_SNR_DB)]
    largest_error: Annotated[float, Field(ge=0)]
    agreement: _Share | None
    worst_sample: _Count
    error: Annotated[float, Field(ge=0)] | None = None
    largest: Annotated[float, Field(ge=0)] | None = None


@dataclass(frozen=True)
class Answers:
    """What came of an ``outputs`` trial.

    Attributes:
        samples: how many the device answered.
        source: the evaluation data, or seeded noise.
        digest: SHA-256 of the samples: only answers to the same ones are compared.
        task: by which they were scored; empty: they were not, and ``reason`` says why.
        scores: the task's metrics, the primary one first.
        parity: of each output, in the file's order.
        parity_samples: how many samples that compares; 0: none, and ``parity_reason`` says why.
    """

    samples: _Count
    source: Literal["data", "noise"]
    digest: str
    task: str = ""
    reason: str = ""
    scores: tuple[Score, ...] = ()
    parity: tuple[OutputParity, ...] = ()
    parity_samples: _Count = 0
    parity_reason: str = ""

    def score(self, name: str) -> Score | None:
        """The score of that name, if there is one."""
        return next((score for score in self.scores if score.name == name), None)
