"""Tiny files of a recipe's schemes: a device runs them before anything is trained.

What a recipe's last steps make of a layer (which operators, in which versions, with which types)
does not depend on the layer's weights. So a network of one small layer of each of the model's kinds
is quantized and encoded as the recipe says, and that file shows what the runtime must be able to
do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mobilebench.compress.recipe import ARROW, Recipe, parse_recipe
from mobilebench.compress.step import EncodingStep, QuantizingStep, Step
from mobilebench.errors import BadInputError, StepError
from mobilebench.models.array import Array
from mobilebench.models.layer_kinds import LayerKind
from mobilebench.tflite.file import dump, load, operator_code
from mobilebench.tflite.graph import kind_of

#: Rows of weights have room for the largest block that a scheme gives a scale of its own.
_WIDTH = 256
_ROWS = 64
#: Of the blocks of a row so many are not all zero where a recipe stores weights sparsely.
_KEPT_BLOCKS = 0.05
_BLOCK = 16

#: Samples that a scheme with ranges is calibrated with.
_CALIBRATION = 8


@dataclass(frozen=True)
class ProbeFile:
    """A tiny file.

    Attributes:
        content: the .tflite; each kind of layer has an input and an output of its own, in order.
        kinds: of layers.
        operators: of each kind, what computes it: its name in the schema, and its version.
    """

    content: bytes
    kinds: tuple[LayerKind, ...]
    operators: Mapping[LayerKind, tuple[str, int]]


def file_steps(recipe: Recipe) -> tuple[Step, ...]:
    """The steps that decide which operators a runtime needs: those that work on the file."""
    return tuple(step for step in recipe.steps if isinstance(step, QuantizingStep | EncodingStep))


def probe_file(recipe: Recipe, kinds: Sequence[LayerKind]) -> ProbeFile | None:
    """The tiny file of a recipe.

    Args:
        recipe: of which the last steps are carried out.
        kinds: of the layers that the model has.

    Returns:
        the file; None where these steps make nothing of such layers, or the package is missing
        that carries them out.
    """
    steps = file_steps(recipe)
    if not steps or not kinds:
        return None
    sparse = any(isinstance(step, EncodingStep) for step in steps)
    content = _network(kinds, sparse=sparse)
    try:
        for step in steps:
            content = applied(step, content)
    except (StepError, ImportError):
        return None
    return ProbeFile(content, tuple(kinds), MappingProxyType(dict(_operators(content, kinds))))


def nearest(recipe: Recipe) -> Iterator[Recipe]:
    """Recipes that differ by their scheme only, the nearest first: for where this one cannot run.

    Another way to store the same numbers goes first, then wider weights, then fewer integers.
    """
    quantizing = next((s for s in recipe.steps if isinstance(s, QuantizingStep)), None)
    plain = tuple(step for step in recipe.steps if not isinstance(step, EncodingStep))
    seen = {recipe.text}
    chains: list[list[str]] = []
    if len(plain) < len(recipe.steps) and plain:
        chains.append([step.text() for step in plain])
    if quantizing is not None:
        for other in _NEAREST.get(quantizing.name, _OTHERWISE):
            chains += [
                [other if s is quantizing else s.text() for s in steps]
                for steps in dict.fromkeys((recipe.steps, plain))
            ]
    trained = [step.text() for step in plain if step is not quantizing]
    chains.append(trained or ["float32"])
    for chain in chains:
        try:
            found = parse_recipe(ARROW.join(chain))
        except BadInputError:
            continue
        if found.text not in seen:
            seen.add(found.text)
            yield found


_OTHERWISE = ("dynamic_int8", "weight_only_int8", "float16")
#: In place of each scheme, with its default settings: which others, the nearest first.
_NEAREST: dict[str, tuple[str, ...]] = {
    "float16": (),
    "dynamic_int8": ("weight_only_int8", "float16"),
    "dynamic_int4": ("dynamic_int4", "dynamic_int4(convolution_bits=8)", *_OTHERWISE),
    "weight_only_int8": ("dynamic_int8", "float16"),
    "weight_only_int4": (
        "weight_only_int4(convolution_bits=8)",
        "weight_only_int8",
        "dynamic_int8",
        "float16",
    ),
    "int8": ("int8", *_OTHERWISE),
    "int16x8": ("int16x8", "int8", *_OTHERWISE),
}


def applied(step: Step, content: bytes) -> bytes:
    """What a quantizing or encoding step makes of a file, with no layer kept in float32.

    Raises:
        StepError: nothing.
    """
    # Layers that keep float32 would show nothing.
    wider = {"min_snr", "keep_float"} & set(type(step).model_fields)
    step = step.model_copy(update=dict.fromkeys(wider))
    if isinstance(step, EncodingStep):
        return step.encode(content).content
    assert isinstance(step, QuantizingStep)
    samples: Sequence[Any] = ()
    if step.calibration_count:
        from mobilebench.tflite.interpreter import Runner

        samples = Runner(content, delegate=False).noise(_CALIBRATION, seed=0)
    return step.quantize(content, samples).content


def _operators(
    content: bytes, kinds: Sequence[LayerKind]
) -> Iterator[tuple[LayerKind, tuple[str, int]]]:
    """What computes each kind of layer, whatever a scheme made of it."""
    model = load(content)
    for kind in kinds:
        for operator in model.subgraphs[0].operators:
            name = kind_of(model, operator)
            if name in _COMPUTING[kind]:
                yield kind, (name, int(model.operatorCodes[operator.opcodeIndex].version))
                break


_COMPUTING: dict[LayerKind, tuple[str, ...]] = {
    "dense": ("FULLY_CONNECTED",),
    "convolution": ("CONV_2D",),
    "depthwise": ("DEPTHWISE_CONV_2D",),
    "transposed": ("TRANSPOSE_CONV",),
    "embedding": ("EMBEDDING_LOOKUP", "GATHER"),
}


def _network(kinds: Sequence[LayerKind], *, sparse: bool) -> bytes:
    """A float32 .tflite of one layer of each kind, side by side; no TensorFlow is needed."""
    network = _Network(sparse)
    for kind in kinds:
        _ADD[kind](network)
    return network.content()


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
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._inputs: list[int] = []
        self._outputs: list[int] = []
        self._model.subgraphs = [self._graph]

    def tensor(self, name: str, shape: Sequence[int], values: Array | None = None) -> int:
        """A float32 tensor, or what ``values`` are."""
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape = name.encode(), np.array(shape, np.int32)
        whole = values is not None and values.dtype == np.int32
        types = self._schema.TensorType
        tensor.type = types.INT32 if whole else types.FLOAT32
        tensor.buffer = 0
        tensor.quantization = self._schema.QuantizationParametersT()
        if values is not None:
            buffer = self._schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self._model.buffers.append(buffer)
            tensor.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def input(self, name: str, shape: Sequence[int], *, rows: bool = False) -> int:
        """One of the network's inputs; with ``rows`` it takes numbers of rows."""
        made = self.tensor(name, shape)
        if rows:
            self._graph.tensors[made].type = self._schema.TensorType.INT32
        self._inputs.append(made)
        return made

    def weights(self, name: str, shape: Sequence[int]) -> int:
        """Random weights; blocks of them are zero where they are to be stored sparsely."""
        values = self._random.normal(0, 0.1, shape).astype(np.float32)
        if self._sparse and len(shape) == 2:
            blocks = values.reshape(-1, _BLOCK)
            blocks[self._random.random(len(blocks)) >= _KEPT_BLOCKS] = 0
        return self.tensor(name, shape, values)

    def operator(self, kind: str, inputs: Sequence[int], shape: Sequence[int], options: Any) -> int:
        """Adds an operator, and makes what it computes one of the network's outputs."""
        output = self.tensor(f"{kind.lower()}_output", shape)
        node = self._schema.OperatorT()
        code = getattr(self._schema.BuiltinOperator, kind)
        node.opcodeIndex = operator_code(self._model, code, 1)
        node.inputs = np.array(inputs, np.int32)
        node.outputs = np.array([output], np.int32)
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            node.builtinOptionsType = getattr(self._schema.BuiltinOptions, name)
            node.builtinOptions = options
        self._graph.operators.append(node)
        self._outputs.append(output)
        return output

    def options(self, name: str, **values: int) -> Any:
        """Options of the schema, strides of 1 and "same" padding being the defaults."""
        made = getattr(self._schema, f"{name}T")()
        for key, value in values.items():
            setattr(made, key, value)
        return made

    def content(self) -> bytes:
        """The file."""
        self._graph.inputs = np.array(self._inputs, np.int32)
        self._graph.outputs = np.array(self._outputs, np.int32)
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
    taken = network.input("embedding_input", (1, 4), rows=True)
    table = network.weights("embedding/weights", (_ROWS, _WIDTH))
    network.operator(
        "GATHER", (table, taken), (1, 4, _WIDTH), network.options("GatherOptions", axis=0)
    )


_ADD: dict[LayerKind, Callable[[_Network], None]] = {
    "dense": _dense,
    "convolution": _convolution,
    "depthwise": _depthwise,
    "transposed": _transposed,
    "embedding": _embedding,
}
