"""A model as a list of layers with what each holds and costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mobilebench.tflite import hybrid, interface
from mobilebench.tflite.graph import UNPACKING, Graph, Operator, Tensor, parse
from mobilebench.tflite.inspect.arithmetic import macs
from mobilebench.tflite.shapes import settled

#: Constants of these operators are weights, whatever else of them is a setting.
_BIAS_TYPES = ("INT32", "INT64")
_WEIGHT_TYPES = ("FLOAT32", "FLOAT16", "BFLOAT16", "INT16", "INT8", "UINT8", "INT4", "INT2")
#: Operators whose int32 constants are biases and not shapes or axes.
_BIASED = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Layer:
    """One operator of the model.

    Attributes:
        index: its number in the file.
        operator: as TensorFlow Lite calls it, like ``CONV_2D``.
        name: of its first output.
        inputs, outputs: the shapes, with the batch.
        weights: how many weights and biases it has.
        bytes: what they take in the file.
        macs: multiply-accumulates of one inference; None if they cannot be known.
        zeros: the share of zeros among its largest constant's values (0 to 1), None without one.
        distinct: how many different values that constant has, None without one.
        scheme: how it is stored and computed, like ``static int8, per channel``.
        sparse: whether its zeros are left out of the file.
    """

    index: int
    operator: str
    name: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    weights: int
    bytes: int
    macs: int | None
    zeros: float | None
    distinct: int | None
    scheme: str
    sparse: bool


@dataclass(frozen=True)
class ModelFacts:
    """A whole model.

    Attributes:
        name: what tables call it.
        bytes: the file's size.
        inputs, outputs: shape and type of each, as ``1x28x28x1 float32``.
        interface: both in one line, with their names, the signature and the batch.
        open: whether its numbers are those of a shape that the file leaves open.
        layers: in the file's order; operators that only unpack a constant are not among them.
        weights: how many weights and biases, those that layers share counted once.
        weight_bytes: what they take in the file.
        macs: the sum of what is known.
        unknown_macs: the operators whose multiply-accumulates are not known.
        zeros: the share of zeros among all weights, biases included.
        subgraphs: more than one where the model has control flow.
        warnings: where runtimes are known to answer differently.
    """

    name: str
    bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    interface: str
    open: bool
    layers: tuple[Layer, ...]
    weights: int
    weight_bytes: int
    macs: int
    unknown_macs: tuple[str, ...]
    zeros: float | None
    subgraphs: int
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def read(content: bytes, name: str) -> ModelFacts:
    """What is in a .tflite file.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    ends = interface.read(content, name)
    graph = parse(settled(content, name), name)
    source = _sources(graph)
    used = {id(c): c for o in graph.operators for c in _constants(o, source)}
    layers = tuple(
        _layer(operator, source)
        for operator in graph.operators
        if not (operator.kind in UNPACKING and _is_constant(operator.inputs, source))
    )
    distinct = {constant.buffer: constant for constant in used.values()}.values()
    zeros = sum(_zeros(constant) for constant in distinct)
    weights = sum(constant.count for constant in distinct)
    return ModelFacts(
        name=name,
        bytes=len(content),
        inputs=tuple(_described(t) for t in graph.inputs),
        outputs=tuple(_described(t) for t in graph.outputs),
        interface=ends.text,
        open=ends.open_input is not None,
        layers=layers,
        weights=weights,
        weight_bytes=sum(len(constant.content or b"") for constant in distinct),
        macs=sum(layer.macs or 0 for layer in layers),
        unknown_macs=tuple(sorted({la.operator for la in layers if la.macs is None})),
        zeros=zeros / weights if weights else None,
        subgraphs=graph.subgraphs,
        warnings=hybrid.warnings(content, name),
    )


def macs_of(content: bytes, name: str) -> int | None:
    """The multiply-accumulates of one inference; None where an operator's cannot be known.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    counts = [macs(operator) for operator in parse(settled(content, name), name).operators]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _sources(graph: Graph) -> dict[int, Tensor]:
    """For each tensor that is a constant unpacked: the constant that it is made of."""
    source: dict[int, Tensor] = {}
    for operator in graph.operators:
        if operator.kind in UNPACKING and operator.inputs and operator.inputs[0] is not None:
            start = source.get(operator.inputs[0].index, operator.inputs[0])
            if start.content is not None:
                source[operator.outputs[0].index] = start
    return source


def _is_constant(inputs: tuple[Tensor | None, ...], source: dict[int, Tensor]) -> bool:
    first = inputs[0] if inputs else None
    return first is not None and (first.content is not None or first.index in source)


def _constants(operator: Operator, source: dict[int, Tensor]) -> list[Tensor]:
    """The weights and biases that an operator uses, as they are stored."""
    if operator.kind in UNPACKING:
        return []
    stored = [source.get(t.index, t) for t in operator.inputs if t is not None]
    biases = _BIAS_TYPES if operator.kind in _BIASED else ()
    return [t for t in stored if t.content is not None and t.type in (*_WEIGHT_TYPES, *biases)]


def _layer(operator: Operator, source: dict[int, Tensor]) -> Layer:
    constants = _constants(operator, source)
    kernel = max(constants, key=lambda t: t.count, default=None)
    values = None if kernel is None else kernel.values()
    distinct = None
    if kernel is not None and values is not None:
        distinct = len(np.unique(values))
        if kernel.sparse and values.size < kernel.count and not (values == 0).any():
            distinct += 1  # the zeros that are not stored
    return Layer(
        index=operator.index,
        operator=operator.kind,
        name=operator.outputs[0].name if operator.outputs else "",
        inputs=tuple(t.shape for t in operator.inputs if t is not None and t.content is None),
        outputs=tuple(t.shape for t in operator.outputs),
        weights=sum(t.count for t in constants),
        bytes=sum(len(t.content or b"") for t in constants),
        macs=macs(operator),
        zeros=None if kernel is None or values is None else _zeros(kernel) / kernel.count,
        distinct=distinct,
        scheme=_scheme(operator, kernel),
        sparse=any(t.sparse for t in constants),
    )


def _zeros(tensor: Tensor) -> int:
    values = tensor.values()
    if values is None:
        return 0
    return tensor.count - int(np.count_nonzero(values))


def _scheme(operator: Operator, kernel: Tensor | None) -> str:
    """How a layer stores its weights and computes, in the words of the recipes."""
    sample = next((t for t in operator.inputs if t is not None and t.content is None), None)
    activation = "" if sample is None else sample.type.lower()
    if kernel is None:
        return activation
    stored = kernel.type.lower()
    if stored in ("float32", "float16", "bfloat16"):
        return stored
    unpacked = all(t is None or t.index != kernel.index for t in operator.inputs)
    if unpacked:
        how = "weight-only"
    elif activation.startswith("float"):
        how = "dynamic"
    else:
        how = "static"
    if how == "static" and activation != stored:
        stored = f"{activation}x{kernel.bits}"
    blocks = ", blockwise" if kernel.blockwise else ", per channel" if kernel.scales > 1 else ""
    return f"{how} {stored}{blocks}"


def _described(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'scalar'} {tensor.type.lower()}"
