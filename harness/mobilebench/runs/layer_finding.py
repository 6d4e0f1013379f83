"""What was found of a file's operators on a device, and how it is said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mobilebench.analysis import units
from mobilebench.records.answers import OutputParity


@dataclass(frozen=True)
class TensorParity:
    """What one operator computes into one tensor, on the device against the reference.

    Attributes:
        operator: its number in the file.
        kind: as TensorFlow Lite calls it, like ``CONV_2D``.
        output: the tensor's name.
        so_far: the parity (dB) with all operators before it on the device; None: unknown.
        alone: the parity (dB) where it is given what the reference has; None: unknown.
        so_far_differs, alone_differs: whether that is more than rounding explains.
        reason: why something is unknown.
    """

    operator: int
    kind: str
    output: str
    so_far: float | None
    alone: float | None
    so_far_differs: bool
    alone_differs: bool
    reason: str = ""


@dataclass(frozen=True)
class LayerParity:
    """A file on one device, operator by operator.

    Attributes:
        device: its name.
        samples: how many were compared; ``source``: ``data`` or ``noise``.
        least_db: below which an output differs, unless by no more than its format resolves.
        outputs: of the file as it is; empty where the device gives NaN or crashes.
        tensors: in the file's order.
        separately: whether each tensor was kept in a run of its own.
        differs: whether the outputs do, or any operator by itself.
        first: the number of the first operator that does, by itself or with those before it.
        sentence: what was found.
    """

    device: str
    samples: int
    source: str
    least_db: float
    outputs: tuple[OutputParity, ...]
    tensors: tuple[TensorParity, ...]
    separately: bool
    differs: bool
    first: int | None
    sentence: str


def sentence(
    device: str,
    outputs_db: float | None,
    outputs_differ: bool,
    tensors: Sequence[TensorParity],
    needed_db: float,
) -> str:
    """What was found, in a sentence or two.

    Args:
        device: its name.
        outputs_db: the parity of the file's outputs, of the worst one; None: unknown.
        outputs_differ: whether that is more than rounding explains.
        tensors: of all operators, in order.
        needed_db: what a right device has at least.
    """
    needed = f"at least {needed_db:g} dB are needed"
    first = first_of(tensors)
    if first is None and outputs_differ:
        return (
            f"The outputs differ on {device} (parity {_shown(outputs_db)}, {needed}), and "
            "no intermediate tensor does once it is kept: the difference is made where a delegate "
            "runs several operators as one."
        )
    if first is None:
        lowest = min((t.so_far for t in tensors if t.so_far is not None), default=None)
        said = "" if lowest is None else f": the lowest parity is {units.decibels(lowest)}"
        return f"No operator differs on {device} by more than rounding explains{said}."
    # A converter names a tensor after all layers that it made one of.
    output = first.output.partition(";")[0]
    name = f"Operator {first.operator} ({first.kind}, output {output!r})"
    so_far = _shown(first.so_far)
    if first.alone_differs:
        alone = first.reason
        if first.alone is not None:
            alone = (
                f"given the reference's inputs, its parity is {_shown(first.alone)}, and {needed}. "
                f"With all operators before it on the device it is {so_far}"
            )
        return f"{name} is the first that differs on {device}: {alone}."
    if not outputs_differ and not any(t.alone_differs for t in tensors):
        lost = min(tensors, key=lambda t: math.inf if t.so_far is None else t.so_far)
        return (
            f"Neither the outputs nor any operator by itself differ on {device} by more than "
            f"rounding explains. In between rounding adds up, from operator {first.operator} "
            f"({first.kind}, output {output!r}, {so_far}) on; the lowest parity is "
            f"{units.decibels(lost.so_far or 0.0)} at operator {lost.operator} ({lost.kind})."
        )
    begins = f"{name} is the first that differs on {device}: its parity is {so_far}, and {needed}."
    if first.alone is None:
        return f"{begins} By itself it was not compared: {first.reason or 'it cannot be run'}."
    before = [t for t in tensors if t.alone is not None and t.operator <= first.operator]
    least = min(before, key=lambda t: t.alone or 0.0)
    return (
        f"{begins} But by itself it does not differ ({units.decibels(first.alone)}), nor does any "
        f"before it (the lowest is operator {least.operator}, {least.kind}, with "
        f"{units.decibels(least.alone or 0.0)}): small differences add up from operator to "
        "operator, or a delegate runs several of them as one and does it wrongly."
    )


def _shown(parity: float | None) -> str:
    return "unavailable" if parity is None else units.decibels(parity)


def first_of(tensors: Sequence[TensorParity]) -> TensorParity | None:
    """The first that differs, by itself or with those before it."""
    return next((t for t in tensors if t.so_far_differs or t.alone_differs), None)
