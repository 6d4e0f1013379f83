"""What a .tflite takes and gives: read from the file alone, without TensorFlow or a runtime.

Only the description of the ends is read, not the weights, so that a large file costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mobilebench.errors import BadInputError
from mobilebench.tflite.graph import read_whole

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
        name: what the file's only signature calls it, else the tensor's own name.
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

    @property
    def shape_text(self) -> str:
        """The shape as people write it: ``[1, ?, ?, 3]``."""
        return f"[{', '.join('?' if n is None else str(n) for n in self.shape)}]"


_Tensors = tuple[TensorInfo, ...]


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a model, in the file's order."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

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


def read(content: bytes, where: str) -> Interface:
    """The interface of a .tflite file.

    Args:
        content: the file.
        where: what error messages call it.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    return read_whole(content, where, _interface)


def require_fixed(interface: Interface, where: str) -> None:
    """Refuses a model whose speed depends on a shape that nobody gave.

    Raises:
        BadInputError: an input has an open dimension, other than the batch.
    """
    end = interface.open_input
    if end is not None:
        raise BadInputError(
            f"model {where}: the input {end.name!r} has an open shape {end.shape_text}; "
            "convert it with a fixed shape"
        )


def differences(baseline: Interface, candidate: Interface) -> list[str]:
    """Why one model cannot stand in the other's place, a clause each; empty if it can.

    Ends are matched by name where both models use the same names, else by position. float32 and
    quantized integers are alike here: see ``conversions``. An open batch is run as 1; other
    open dimensions, which only outputs may have, fit any length.
    """
    found = []
    for kind, before, after in _kinds(baseline, candidate):
        if len(before) != len(after):
            found.append(
                f"{_counted(len(before), kind)} in the baseline and {len(after)} in the candidate"
            )
            continue
        for one, other in matched(before, after):
            if not _same_shape(kind, one, other):
                what = f"{one.shape_text} in the baseline and {other.shape_text} in the candidate"
                found.append(f"{kind} {one.name!r} is {what}")
            elif one.dtype != other.dtype and not (one.is_real and other.is_real):
                what = f"{one.dtype} in the baseline and {other.dtype} in the candidate"
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


def _interface(content: bytes) -> Interface:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    signature = model.SignatureDefs(0) if model.SignatureDefsLength() == 1 else None
    inputs = [graph.Inputs(i) for i in range(graph.InputsLength())]
    outputs = [graph.Outputs(i) for i in range(graph.OutputsLength())]
    named_inputs = {} if signature is None else _names(signature, "Inputs")
    named_outputs = {} if signature is None else _names(signature, "Outputs")
    types = {value: name.lower() for name, value in vars(schema.TensorType).items()}
    return Interface(
        tuple(_end(graph.Tensors(i), named_inputs.get(i), types) for i in inputs),
        tuple(_end(graph.Tensors(i), named_outputs.get(i), types) for i in outputs),
    )


def _names(signature: Any, ends: str) -> dict[int, str]:
    entries = [getattr(signature, ends)(i) for i in range(getattr(signature, f"{ends}Length")())]
    return {int(entry.TensorIndex()): _text(entry.Name()) for entry in entries}


def _end(tensor: Any, name: str | None, types: dict[Any, str]) -> TensorInfo:
    shape = [tensor.Shape(i) for i in range(tensor.ShapeLength())]
    signature = [tensor.ShapeSignature(i) for i in range(tensor.ShapeSignatureLength())] or shape
    quantization = tensor.Quantization()
    quantized = None
    if quantization is not None and quantization.ScaleLength() == 1 and quantization.Scale(0):
        has_zero_point = quantization.ZeroPointLength() == 1
        zero_point = quantization.ZeroPoint(0) if has_zero_point else 0
        quantized = Quantization(float(quantization.Scale(0)), int(zero_point))
    return TensorInfo(
        name=name or _text(tensor.Name()),
        shape=tuple(None if n < 0 else int(n) for n in signature),
        dtype=types[tensor.Type()],
        quantization=quantized,
    )


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "replace")
