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


_Decibels = Annotated[float, Field(ge=-LARGEST_SNR_DB, le=LARGEST_SNR_DB)]


@dataclass(frozen=True)
class ChannelParity:
    """How alike one value of an output's last axis is: that of a class, say.

    Attributes:
        channel: its number.
        snr_db: the power of what varies of it over that of its error.
        rounding_db: the same, of an error that a rounding of the inputs makes.
    """

    channel: _Count
    snr_db: _Decibels
    rounding_db: _Decibels


@dataclass(frozen=True)
class OutputParity:
    """How alike one output on the device is to the reference answers of the same file.

    Attributes:
        output: its name in the file's interface.
        snr_db: signal-to-noise ratio about the reference's mean, at most 150 dB either way.
            Differences of rounding are no noise: one step of a quantized output, a millionth of a
            sample's largest value of another. Of class numbers: all over those that differ.
        largest_error: the largest absolute error, over the reference's spread: its largest value
            less its smallest (1 where that is 0).
        agreement: the share of equal classes (argmax of the last axis, or class numbers); None
            where the output looks like none.
        worst_sample: the number of the sample with the largest error.
        error, largest: the largest absolute error, and the reference's largest absolute value;
            None in runs of older versions.
        unequal: how many class numbers differ; None where the output holds other values.
        rounding_db: the ratio that the reference's own kernels have where the inputs are moved by a
            rounding; None where that is not known.
        channel: the value of the last axis that is most beyond such a rounding; None likewise.
    """

    output: str
    snr_db: _Decibels
    largest_error: Annotated[float, Field(ge=0)]
    agreement: _Share | None
    worst_sample: _Count
    error: Annotated[float, Field(ge=0)] | None = None
    largest: Annotated[float, Field(ge=0)] | None = None
    unequal: _Count | None = None
    rounding_db: _Decibels | None = None
    channel: ChannelParity | None = None


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
