"""A network of one small layer of each kind, from which a recipe's probe is made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mobilebench.models.array import Array
from mobilebench.models.layer_kinds import LayerKind
from mobilebench.tflite.file import dump, operator_code

#: Rows of weights have room for the largest block that a scheme gives a scale of its own.
_WIDTH = 256
_ROWS = 64
#: Of the blocks of a row so many are not all zero where a recipe stores weights sparsely.
_KEPT_BLOCKS = 0.05
_BLOCK = 16

#: So often the loop of a recurrent layer runs.
_STEPS = 2


def network(kinds: Sequence[LayerKind], *, sparse: bool) -> bytes:
    """A float32 .tflite of one layer of each kind, side by side; no TensorFlow is needed."""
    begun = _Network(sparse)
    for kind in kinds:
        _ADD[kind](begun)
    return begun.content()


class _Network:
    """A file under construction."""

    def __init__(self, sparse: bool) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._random = np.random.default_rng(0)
        self._sparse = sparse
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.operatorCodes = []
        self._model.buffers = [schema.BufferT()]
        self._model.subgraphs = []
        self._graph = self._begun("main")

    def _begun(self, name: str) -> Any:
        """An empty graph, the model's last."""
        graph = self._schema.SubGraphT()
        graph.name = name.encode()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        self._model.subgraphs.append(graph)
        return graph

    @contextlib.contextmanager
    def called(self, name: str) -> Iterator[int]:
        """What is added meanwhile goes into a graph of its own, whose number this gives."""
        outer, self._graph = self._graph, self._begun(name)
        try:
            yield len(self._model.subgraphs) - 1
        finally:
            self._graph = outer

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        values: Array | None = None,
        kind: str = "FLOAT32",
    ) -> int:
        """A tensor of that type, or of what ``values`` are."""
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape = name.encode(), np.array(shape, np.int32)
        whole = values is not None and values.dtype == np.int32
        tensor.type = getattr(self._schema.TensorType, "INT32" if whole else kind)
        tensor.buffer = 0
        tensor.quantization = self._schema.QuantizationParametersT()
        if values is not None:
            buffer = self._schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self._model.buffers.append(buffer)
            tensor.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def input(self, name: str, shape: Sequence[int], kind: str = "FLOAT32") -> int:
        """One of the graph's inputs."""
        made = self.tensor(name, shape, kind=kind)
        self._graph.inputs.append(made)
        return made

    def weights(self, name: str, shape: Sequence[int]) -> int:
        """Random weights; blocks of them are zero where they are to be stored sparsely."""
        values = self._random.normal(0, 0.1, shape).astype(np.float32)
        if self._sparse and len(shape) == 2:
            blocks = values.reshape(-1, _BLOCK)
            blocks[self._random.random(len(blocks)) >= _KEPT_BLOCKS] = 0
        return self.tensor(name, shape, values)

    def operator(self, kind: str, inputs: Sequence[int], shape: Sequence[int], options: Any) -> int:
        """Adds an operator, and makes what it computes one of the graph's outputs."""
        output = self.tensor(f"{kind.lower()}_output", shape)
        self.node(kind, inputs, [output], options)
        self._graph.outputs.append(output)
        return output

    def node(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None
    ) -> None:
        """Adds an operator that computes the tensors ``outputs``."""
        node = self._schema.OperatorT()
        code = getattr(self._schema.BuiltinOperator, kind)
        node.opcodeIndex = operator_code(self._model, code, 1)
        node.inputs = np.array(inputs, np.int32)
        node.outputs = np.array(outputs, np.int32)
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            node.builtinOptionsType = getattr(self._schema.BuiltinOptions, name)
            node.builtinOptions = options
        self._graph.operators.append(node)

    def outputs(self, *tensors: int) -> None:
        """Makes tensors the last ones of the graph's outputs."""
        self._graph.outputs.extend(tensors)

    def options(self, name: str, **values: int) -> Any:
        """Options of the schema, strides of 1 and "same" padding being the defaults."""
        made = getattr(self._schema, f"{name}T")()
        for key, value in values.items():
            setattr(made, key, value)
        return made

    def content(self) -> bytes:
        """The file."""
        for graph in self._model.subgraphs:
            graph.inputs = np.array(graph.inputs, np.int32)
            graph.outputs = np.array(graph.outputs, np.int32)
        return dump(self._model)


def _dense(network: _Network) -> None:
    taken = network.input("dense_input", (1, _WIDTH))
    weights = network.weights("dense/weights", (_ROWS, _WIDTH))
    bias = network.tensor("dense/bias", (_ROWS,), np.linspace(-1, 1, _ROWS, dtype=np.float32))
    network.operator(
        "FULLY_CONNECTED",
        (taken, weights, bias),
        (1, _ROWS),
        network.options("FullyConnectedOptions"),
    )


def _convolution(network: _Network) -> None:
    taken = network.input("convolution_input", (1, 8, 8, 8))
    weights = network.weights("convolution/weights", (8, 3, 3, 8))
    bias = network.tensor("convolution/bias", (8,), np.zeros(8, np.float32))
    options = network.options(
        "Conv2DOptions", strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1
    )
    network.operator("CONV_2D", (taken, weights, bias), (1, 8, 8, 8), options)


def _depthwise(network: _Network) -> None:
    taken = network.input("depthwise_input", (1, 8, 8, 8))
    weights = network.weights("depthwise/weights", (1, 3, 3, 8))
    bias = network.tensor("depthwise/bias", (8,), np.zeros(8, np.float32))
    options = network.options(
        "DepthwiseConv2DOptions",
        strideW=1,
        strideH=1,
        depthMultiplier=1,
        dilationWFactor=1,
        dilationHFactor=1,
    )
    network.operator("DEPTHWISE_CONV_2D", (taken, weights, bias), (1, 8, 8, 8), options)


def _transposed(network: _Network) -> None:
    shape = network.tensor("transposed/shape", (4,), np.array([1, 8, 8, 8], np.int32))
    taken = network.input("transposed_input", (1, 4, 4, 8))
    weights = network.weights("transposed/weights", (8, 3, 3, 8))
    options = network.options("TransposeConvOptions", strideW=2, strideH=2)
    network.operator("TRANSPOSE_CONV", (shape, weights, taken), (1, 8, 8, 8), options)


def _embedding(network: _Network) -> None:
    taken = network.input("embedding_input", (1, 4), "INT32")
    table = network.weights("embedding/weights", (_ROWS, _WIDTH))
    network.operator(
        "GATHER", (table, taken), (1, 4, _WIDTH), network.options("GatherOptions", axis=0)
    )


def _recurrent(network: _Network) -> None:
    """Two steps of state ← tanh(weights · state + bias), in a loop as converters write it."""
    state = (1, _WIDTH)

    def number(name: str, value: int) -> int:
        return network.tensor(name, (), np.array(value, np.int32))

    with network.called("loop_condition") as condition:
        step = network.input("condition/step", (), "INT32")
        network.input("condition/state", state)
        goes_on = network.tensor("condition/goes_on", (), kind="BOOL")
        network.node("LESS", (step, number("condition/steps", _STEPS)), [goes_on])
        network.outputs(goes_on)
    with network.called("loop_body") as body:
        step = network.input("body/step", (), "INT32")
        before = network.input("body/state", state)
        after = network.tensor("body/next_step", (), kind="INT32")
        network.node("ADD", (step, number("body/one", 1)), [after], network.options("AddOptions"))
        weights = network.weights("recurrent/weights", (_WIDTH, _WIDTH))
        bias = network.tensor("recurrent/bias", (_WIDTH,), np.zeros(_WIDTH, np.float32))
        sums, bounded = network.tensor("body/sums", state), network.tensor("body/bounded", state)
        network.node(
            "FULLY_CONNECTED",
            (before, weights, bias),
            [sums],
            network.options("FullyConnectedOptions"),
        )
        network.node("TANH", (sums,), [bounded])
        network.outputs(after, bounded)
    taken, begin = network.input("recurrent_input", state), network.tensor("recurrent/begin", state)
    shape = network.tensor("recurrent/shape", (2,), np.array(state, np.int32))
    network.node("RESHAPE", (taken, shape), [begin], network.options("ReshapeOptions"))
    steps, output = (
        network.tensor("recurrent/steps", (), kind="INT32"),
        network.tensor("recurrent_output", state),
    )
    network.node(
        "WHILE",
        (number("recurrent/first", 0), begin),
        [steps, output],
        network.options("WhileOptions", condSubgraphIndex=condition, bodySubgraphIndex=body),
    )
    network.outputs(output)


_ADD: dict[LayerKind, Callable[[_Network], None]] = {
    "dense": _dense,
    "convolution": _convolution,
    "depthwise": _depthwise,
    "transposed": _transposed,
    "embedding": _embedding,
    "recurrent": _recurrent,
}
