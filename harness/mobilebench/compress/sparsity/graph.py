"""The kernels of a .tflite file, found and replaced by their sparse encodings."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebench.compress.sparsity.format import Encoding
from mobilebench.models.array import Array
from mobilebench.tflite import file

#: The version of FULLY_CONNECTED that has sparse kernels, and no other.
_SPARSE_VERSION = 8
#: What the runtime's list of blocks for dynamic int8 can say: positions and counts of one byte.
_LEDGER_LIMIT = 255


@dataclass(frozen=True)
class Kernel:
    """A constant kernel of Dense or convolution layers.

    Attributes:
        name: the tensor's.
        weights: (outputs, …, inputs) as stored.
        dtype: of the weights, as the schema calls it, in small letters.
        kinds: the runtime's sparse kernels that could compute with it, the fastest first.
        without: why there are none, or an empty text.
        unpackable: whether the runtime and its delegate take weights that are unpacked at load.
    """

    name: str
    weights: Array
    dtype: str
    kinds: tuple[str, ...]
    without: str
    unpackable: bool
    subgraph: int
    tensor: int

    def limit(self, encoding: Encoding) -> str:
        """Why the runtime cannot compute with this encoding, or an empty text."""
        if self.kinds != ("dynamic int8",):
            return ""
        positions = self.weights.shape[-1] // encoding.block[1]
        if positions > _LEDGER_LIMIT + 1 or encoding.most_in_a_row > _LEDGER_LIMIT:
            return "a row is longer than the dynamic int8 kernel can count"
        return ""


class Graph:
    """A .tflite file whose kernels can be replaced."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._model = file.load(content)

    def content(self) -> bytes:
        """The file as it is now."""
        return file.dump(self._model)

    def kernels(self) -> Iterator[Kernel]:
        """Every constant kernel that is stored dense, once."""
        operators = self._schema.BuiltinOperator
        layers = (operators.FULLY_CONNECTED, operators.CONV_2D, operators.TRANSPOSE_CONV)
        for number, graph in enumerate(self._model.subgraphs):
            made = {int(t): op for op in graph.operators for t in op.outputs}
            seen = set()
            for op in graph.operators:
                if self._operator(op) not in layers:
                    continue
                tensor = int(op.inputs[1])
                maker = made.get(tensor)
                if maker is not None and self._operator(maker) == operators.DEQUANTIZE:
                    tensor = int(maker.inputs[0])
                if tensor not in seen and self._is_constant(graph, tensor, made):
                    seen.add(tensor)
                    yield self._kernel(number, tensor)

    def store(self, kernel: Kernel, encoding: Encoding, *, unpacked: bool) -> None:
        """Replaces a kernel by its encoding.

        Args:
            kernel: one that :meth:`kernels` gave.
            encoding: of its weights.
            unpacked: whether the runtime makes it dense again when it loads the model; if not,
                the layers that use it become sparse ones.
        """
        graph = self._model.subgraphs[kernel.subgraph]
        tensor = graph.tensors[kernel.tensor]
        users = self._users(graph, kernel.tensor)
        if unpacked:
            dense = copy.copy(tensor)
            dense.name, dense.buffer = tensor.name + b"_dense", 0
            graph.tensors.append(dense)
            new = len(graph.tensors) - 1
            code = file.operator_code(self._model, self._schema.BuiltinOperator.DENSIFY, 1)
            densify = self._schema.OperatorT(code, [kernel.tensor], [new])
            graph.operators.insert(graph.operators.index(users[0]), densify)
            for op in users:
                op.inputs = [new if t == kernel.tensor else int(t) for t in op.inputs]
        else:
            for op in users:
                op.opcodeIndex = file.operator_code(
                    self._model, self._schema.BuiltinOperator.FULLY_CONNECTED, _SPARSE_VERSION
                )
        tensor.sparsity = encoding.parameters
        # Another tensor may share the buffer; an unused one is emptied.
        old = tensor.buffer
        content = encoding.values.reshape(-1).view(np.uint8)
        self._model.buffers.append(self._schema.BufferT(content))
        tensor.buffer = len(self._model.buffers) - 1
        if not any(t.buffer == old for g in self._model.subgraphs for t in g.tensors):
            self._model.buffers[old].data = None

    def _kernel(self, number: int, index: int) -> Kernel:
        graph = self._model.subgraphs[number]
        tensor = graph.tensors[index]
        names = {
            value: name.lower()
            for name, value in vars(self._schema.TensorType).items()
            if name.isupper()
        }
        dtype = names[tensor.type]
        data = self._model.buffers[tensor.buffer].data
        known = dtype in ("float32", "float16", "int8")
        weights = data.view(dtype).reshape(tensor.shape) if known else data
        kinds, why = self._kinds(graph, index, dtype)
        dequantize = self._schema.BuiltinOperator.DEQUANTIZE
        unpackable = dtype in ("float32", "float16") or all(
            self._operator(op) == dequantize for op in self._users(graph, index)
        )
        return Kernel(tensor.name.decode(), weights, dtype, kinds, why, unpackable, number, index)

    def _kinds(self, graph: Any, index: int, dtype: str) -> tuple[tuple[str, ...], str]:
        """The runtime's sparse kernels for this one, or why there are none."""
        users = self._users(graph, index)
        dense = self._schema.BuiltinOperator.FULLY_CONNECTED
        if any(self._operator(op) != dense or int(op.inputs[1]) != index for op in users):
            return (), f"the runtime has sparse kernels for {dtype} in Dense layers only"
        for op in users:
            into, out = (graph.tensors[int(t)] for t in (op.inputs[0], op.outputs[0]))
            signature = into.shape if into.shapeSignature is None else into.shapeSignature
            if -1 in signature or int(np.prod(out.shape)) != graph.tensors[index].shape[0]:
                # With several threads and rows, the 1x4 kernel writes to the wrong places.
                return (), "the layer may have several rows, and sparse kernels are for one"
        if dtype == "float32":
            return ("float32 in blocks", "float32"), ""
        kind = self._integer_kind(graph, index, users)
        return ((kind,), "") if kind else ((), "the runtime has no sparse kernel for these types")

    def _integer_kind(self, graph: Any, index: int, users: list[Any]) -> str:
        """What the runtime calls for int8 weights, or an empty text if it has nothing."""
        types = {graph.tensors[int(op.inputs[0])].type for op in users}
        quantization = graph.tensors[index].quantization
        if quantization is None or quantization.scale is None or np.any(quantization.zeroPoint):
            return ""
        if types == {self._schema.TensorType.FLOAT32}:
            return "dynamic int8"
        if types == {self._schema.TensorType.INT8} and len(quantization.scale) > 1:
            return "static int8"
        return ""

    def _users(self, graph: Any, tensor: int) -> list[Any]:
        return [op for op in graph.operators if tensor in map(int, op.inputs)]

    def _operator(self, op: Any) -> int:
        return file.builtin(self._model, op)

    def _is_constant(self, graph: Any, index: int, made: dict[int, Any]) -> bool:
        tensor = graph.tensors[index]
        return (
            index not in made
            and index not in map(int, (*graph.inputs, *graph.outputs))
            and tensor.sparsity is None
            and not tensor.isVariable
            and not tensor.externalBuffer
            and self._model.buffers[tensor.buffer].data is not None
        )
