"""Whether a device computes what the file says: its answers against the reference answers.

A batch at a time, so that only sums are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from mobilebench.devices.base import TrialError
from mobilebench.models.array import Array
from mobilebench.quality.output import OutputTally
from mobilebench.records.answers import OutputParity
from mobilebench.records.interface import Interface
from mobilebench.runs.references import Reference


class Parity:
    """Compares the answers to the samples that have reference answers.

    Args:
        reference: of the same file.
        interface: of the file.
    """

    def __init__(self, reference: Reference, interface: Interface) -> None:
        self._reference = reference
        self._outputs = [OutputTally(end) for end in interface.outputs]
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
        for output, wanted, given in zip(self._outputs, expected, outputs, strict=True):
            if wanted.shape[1:] != given.shape[1:]:
                self.reason = (
                    f"output {output.name!r} has the shape {list(given.shape[1:])} on the device, "
                    f"and {list(wanted.shape[1:])} in the reference answers"
                )
                return
            output.add(wanted, given[:rows])
        self.samples += rows

    def found(self) -> tuple[OutputParity, ...]:
        """How alike each output is; nothing where ``reason`` says why."""
        if self.reason:
            return ()
        rounding = self._reference.roundings or [None] * len(self._outputs)
        return tuple(
            output.parity(moved) for output, moved in zip(self._outputs, rounding, strict=True)
        )
