"""What a model takes and gives: its inputs and outputs, and how those of two models differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: What converters call the signature of a model that has one.
DEFAULT = "serving_default"

_SIDES = ("the baseline", "the candidate")
#: The integers that NumPy has, too.
_WHOLE = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


@dataclass(frozen=True)
class Quantization:
    """How the integers of a tensor stand for real numbers: ``scale * (q - zero_point)``."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class TensorInfo:
    """One input or output.

    Attributes:
        name: what the signature that is run calls it, else the tensor's own name.
        shape: with the batch; None for each dimension that the file leaves open.
        dtype: as the schema calls it, in lower case, like ``float32``.
        quantization: of integers that stand for real numbers, else None.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    quantization: Quantization | None = None

    @property
    def is_real(self) -> bool:
        """Whether its values are real numbers, be they stored as float32 or quantized."""
        return self.dtype == "float32" or self.quantization is not None

    @property
    def is_whole(self) -> bool:
        """Whether it is stored as integers, be they quantized or not."""
        return self.dtype in _WHOLE

    def __str__(self) -> str:
        """Its name, type and shape: ``image float32 [1, ?, ?, 3]``."""
        return f"{self.name} {self.dtype} {self.shape_text}"

    @property
    def shape_text(self) -> str:
        """The shape as people write it: ``[1, ?, ?, 3]``."""
        return f"[{', '.join('?' if n is None else str(n) for n in self.shape)}]"


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a model, in the file's order.

    Attributes:
        inputs, outputs: with the batch.
        signature: the name of the signature that is run; empty where the file has none.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    signature: str = ""

    @property
    def batch(self) -> int:
        """How many samples one inference takes: what all inputs and outputs begin with.

        An open batch is run as 1. Ends that do not begin with one number have no batch: 1.
        """
        ends = [end.shape for end in (*self.inputs, *self.outputs)]
        if not self.inputs or any(len(end.shape) < 2 for end in self.inputs) or () in ends:
            return 1
        first = {1 if shape[0] is None else shape[0] for shape in ends}
        return first.pop() if len(first) == 1 else 1

    @property
    def text(self) -> str:
        """In one line: ``image float32 [1, 224, 224, 3] → scores float32 [1, 1000]``."""
        taken = ", ".join(map(str, self.inputs)) or "nothing"
        given = ", ".join(map(str, self.outputs)) or "nothing"
        chosen = f"signature {self.signature}: " if self.signature not in ("", DEFAULT) else ""
        samples = f" ({self.batch} samples an inference)" if self.batch > 1 else ""
        return f"{chosen}{taken} → {given}{samples}"

    @property
    def open_input(self) -> TensorInfo | None:
        """The first input with an open dimension other than the batch, or None.

        The batch is the first of several dimensions. An input of one open dimension has none of
        its own, and is a batch only beside an input that has one.
        """
        has_batch = any(len(end.shape) > 1 and end.shape[0] is None for end in self.inputs)
        for end in self.inputs:
            rest = end.shape[1:] if len(end.shape) > 1 or has_batch else end.shape
            if None in rest:
                return end
        return None


def differences(
    baseline: Interface, candidate: Interface, where: tuple[str, str] = _SIDES
) -> list[str]:
    """Why one model cannot stand in the other's place, a clause each; empty if it can.

    Ends are matched by name where both models use the same names, else by position. float32 and
    quantized integers are alike here: see ``conversions``. An open batch is run as 1; other
    open dimensions, which only outputs may have, fit any length. ``where`` says of each side where
    it is found.
    """
    here, there = where
    found = []
    for kind, before, after in _kinds(baseline, candidate):
        if len(before) != len(after):
            found.append(f"{_counted(len(before), kind)} in {here} and {len(after)} in {there}")
            continue
        for one, other in matched(before, after):
            if not _same_shape(kind, one, other):
                what = f"{one.shape_text} in {here} and {other.shape_text} in {there}"
                batch = kind == "input" and len(one.shape) == len(other.shape) > 1
                also = ", another batch" if batch and one.shape[1:] == other.shape[1:] else ""
                found.append(f"{kind} {one.name!r} is {what}{also}")
            elif one.dtype != other.dtype and not (one.is_real and other.is_real):
                what = f"{one.dtype} in {here} and {other.dtype} in {there}"
                found.append(f"{kind} {one.name!r} is {what}")
    return found


def conversions(baseline: Interface, candidate: Interface) -> list[str]:
    """Where an app would have to convert values if one model took the other's place."""
    return [
        f"{kind} {one.name!r} is {one.dtype} in the baseline and {other.dtype} in the candidate"
        for kind, before, after in _kinds(baseline, candidate)
        for one, other in matched(before, after)
        if one.dtype != other.dtype and one.is_real and other.is_real
    ]


def _kinds(
    a: Interface, b: Interface
) -> Iterator[tuple[str, tuple[TensorInfo, ...], tuple[TensorInfo, ...]]]:
    yield "input", a.inputs, b.inputs
    yield "output", a.outputs, b.outputs


def matched(
    before: tuple[TensorInfo, ...], after: tuple[TensorInfo, ...]
) -> list[tuple[TensorInfo, TensorInfo]]:
    """Each input or output of one model with that of another, in the first one's order.

    Converters shuffle outputs, so names that both files have count more than positions.
    """
    names, others = [end.name for end in before], {end.name: end for end in after}
    if len(set(names)) == len(names) == len(after) and set(names) == set(others):
        return [(end, others[end.name]) for end in before]
    return list(zip(before, after, strict=False))


def _same_shape(kind: str, one: TensorInfo, other: TensorInfo) -> bool:
    if len(one.shape) != len(other.shape):
        return False
    pairs = list(zip(one.shape, other.shape, strict=True))
    if kind == "output" and any(None in pair for pair in pairs):
        return all(n == m or None in (n, m) for n, m in pairs)
    return all((1 if n is None else n) == (1 if m is None else m) for n, m in pairs)


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind}" if count == 1 else f"{count} {kind}s"
