"""The graph of a .tflite file: its tensors and operators, in the schema's words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array
from mobilebench.models.sources import check_tflite
from mobilebench.tflite.file import builtin, load_to_read

T = TypeVar("T")

#: How many bits a value of each stored type takes.
BITS = {
    "FLOAT64": 64,
    "FLOAT32": 32,
    "FLOAT16": 16,
    "BFLOAT16": 16,
    "INT64": 64,
    "UINT64": 64,
    "INT32": 32,
    "UINT32": 32,
    "INT16": 16,
    "UINT16": 16,
    "INT8": 8,
    "UINT8": 8,
    "BOOL": 8,
    "INT4": 4,
    "UINT4": 4,
    "INT2": 2,
}
#: Operators that only unpack a constant before the operator that uses it.
UNPACKING = ("DEQUANTIZE", "DENSIFY")


@dataclass(frozen=True)
class Tensor:
    """One tensor of the graph.

    Attributes:
        index: its number in the graph.
        name: as the file has it.
        shape: with the batch; empty for a scalar.
        type: as the schema calls it, like ``INT8``.
        content: the stored bytes of a constant, else None.
        buffer: which of the file's buffers that is; equal weights may share one.
        scales: of quantized values: one, one a channel, or one a block; 0 if there are none.
        blockwise: whether the scales belong to blocks of a row.
        sparse: whether only the values that are not zero are stored.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    content: bytes | None
    buffer: int
    scales: int = 0
    blockwise: bool = False
    sparse: bool = False

    @property
    def count(self) -> int:
        """How many values its shape holds."""
        return math.prod(self.shape)

    @property
    def bits(self) -> int:
        """How many bits a value takes; 0 for a type that has no fixed size."""
        return BITS.get(self.type, 0)

    def values(self) -> Array | None:
        """The stored numbers of a constant as they lie there, flat; None if they are no numbers.

        Of a sparse tensor these are the values that are not zero, and zeros that fill blocks.
        """
        if self.content is None or not self.bits:
            return None
        if self.bits < 8:
            return _unpack(self.content, self.bits, None if self.sparse else self.count)
        if self.type == "BFLOAT16":
            halves = np.frombuffer(self.content, dtype="<u2").astype(np.uint32) << 16
            return halves.view(np.float32)
        kind = {"F": "f", "I": "i", "U": "u", "B": "u"}[self.type[0]]
        size = self.bits // 8
        whole = len(self.content) // size * size
        return np.frombuffer(self.content[:whole], dtype=f"<{kind}{size}")


@dataclass(frozen=True)
class Operator:
    """One node of the graph: what it does, and the tensors it takes and gives.

    ``options`` is the schema's own object, None where the operator has none.
    """

    index: int
    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Any


@dataclass(frozen=True)
class Graph:
    """A subgraph of a file; the first is the one that runs."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    subgraphs: int


def parse(content: bytes, where: str) -> Graph:
    """Reads a .tflite file.

    Args:
        content: the file.
        where: what error messages call it.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    return read_whole(content, where, lambda whole: _graph(load_to_read(whole)))


def parse_called(content: bytes, where: str) -> tuple[Graph, ...]:
    """The other subgraphs of a file: bodies of loops, such as a recurrent layer's, and branches.

    Raises:
        BadInputError: see :func:`parse`.
    """

    def read(whole: bytes) -> tuple[Graph, ...]:
        model = load_to_read(whole)
        return tuple(_graph(model, number) for number in range(1, len(model.subgraphs)))

    return read_whole(content, where, read)


def read_whole(content: bytes, where: str, read: Callable[[bytes], T]) -> T:
    """What a reader of .tflite files makes of one.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    check_tflite(content, where)
    try:
        return read(content)
    except Exception as error:  # the generated reader fails in many ways on a torn file
        raise BadInputError(f"model {where} is torn: its FlatBuffer cannot be read") from error


def kind_of(model: Any, operator: Any) -> str:
    """What an operator of a ``ModelT`` is called: by the schema, or by whoever made it."""
    from ai_edge_litert.tools import flatbuffer_utils

    custom = model.operatorCodes[operator.opcodeIndex].customCode
    if custom:
        return custom.decode("utf-8", "replace") if isinstance(custom, bytes) else str(custom)
    name = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
    return name or f"OPERATOR_{builtin(model, operator)}"


def _graph(model: Any, number: int = 0) -> Graph:
    subgraph = model.subgraphs[number]
    tensors = [_tensor(i, tensor, model.buffers) for i, tensor in enumerate(subgraph.tensors)]

    def chosen(indices: Sequence[int]) -> Iterator[Tensor | None]:
        for index in indices:
            yield tensors[index] if index >= 0 else None

    operators = []
    for index, operator in enumerate(subgraph.operators):
        operators.append(
            Operator(
                index,
                kind_of(model, operator),
                tuple(chosen(operator.inputs)),
                tuple(t for t in chosen(operator.outputs) if t is not None),
                operator.builtinOptions,
            )
        )
    return Graph(
        tuple(t for t in chosen(subgraph.inputs) if t is not None),
        tuple(t for t in chosen(subgraph.outputs) if t is not None),
        tuple(operators),
        len(model.subgraphs),
    )


def _tensor(index: int, tensor: Any, buffers: Sequence[Any]) -> Tensor:
    from ai_edge_litert.tools import flatbuffer_utils

    data = buffers[tensor.buffer].data
    quantization = tensor.quantization
    scale = None if quantization is None else quantization.scale
    blockwise = type(getattr(quantization, "details", None)).__name__.startswith("Blockwise")
    name = tensor.name or b""
    read = Tensor(
        index=index,
        name=name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name),
        shape=() if tensor.shape is None else tuple(int(n) for n in tensor.shape),
        type=flatbuffer_utils.type_to_name(tensor.type),
        content=None if data is None or len(data) == 0 else bytes(bytearray(data)),
        buffer=int(tensor.buffer),
        scales=0 if scale is None else len(scale),
        blockwise=blockwise,
        sparse=tensor.sparsity is not None,
    )
    if not _fits(read):
        raise ValueError(f"tensor {index} has another size than its shape")
    return read


def _fits(tensor: Tensor) -> bool:
    """Whether a constant is as long as its shape says: a runtime loads no other."""
    if tensor.content is None or tensor.sparse or not tensor.bits:
        return True
    return len(tensor.content) == -(-tensor.count * tensor.bits // 8)


def _unpack(content: bytes, bits: int, count: int | None) -> Array:
    """Signed integers of 2 or 4 bits, the first in the lowest bits of its byte."""
    packed = np.frombuffer(content, dtype=np.uint8)
    fields = [(packed >> shift) & ((1 << bits) - 1) for shift in range(0, 8, bits)]
    values = np.stack(fields, axis=1).ravel()[:count].astype(np.int16)
    half = 1 << (bits - 1)
    return np.asarray((values ^ half) - half, dtype=np.int8)
