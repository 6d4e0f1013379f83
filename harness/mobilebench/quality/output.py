"""One output of a file, compared with its reference answers, some samples at a time."""

from __future__ import annotations

from dataclasses import dataclass

from mobilebench.models.array import Array
from mobilebench.models.similarity import Tally
from mobilebench.quality.channels import Channels
from mobilebench.records.answers import OutputParity
from mobilebench.records.interface import TensorInfo


@dataclass(frozen=True)
class Rounding:
    """What a rounding of the inputs does to an output, by the kernels that give the reference.

    Attributes:
        snr_db: the ratio that is left.
        noise: the power of the error of each value of the last axis.
    """

    snr_db: float
    noise: Array


class OutputTally:
    """How alike the answers of one output are, of which only sums are kept.

    Args:
        output: of the file.
        is_moved: whether the answers are the reference's own to inputs that were moved by a
            rounding, where a single step of a quantized output counts, too.
    """

    def __init__(self, output: TensorInfo, *, is_moved: bool = False) -> None:
        self.name = output.name
        step = output.quantization.scale if output.quantization else 0.0
        self._tally, self._channels = Tally(0.0 if is_moved else step), Channels(step)

    def add(self, reference: Array, found: Array) -> None:
        """Takes the next samples: (count, *shape of one sample*), both."""
        self._tally.add(reference, found)
        self._channels.add(reference, found)

    def rounding(self) -> Rounding:
        """What a rounding does, of answers to inputs that were moved by one."""
        return Rounding(self._tally.similarity().snr_db, self._channels.noise())

    def parity(self, rounding: Rounding | None) -> OutputParity:
        """How alike the answers are; ``rounding`` is None where it is not known."""
        alike = self._tally.similarity()
        return OutputParity(
            self.name,
            alike.snr_db,
            alike.largest_error,
            alike.agreement,
            alike.worst_sample,
            alike.error,
            alike.largest,
            alike.unequal,
            None if rounding is None else rounding.snr_db,
            None if rounding is None else self._channels.worst(rounding.noise),
        )
