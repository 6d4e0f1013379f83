"""Files made of another one's operators: one of them, each of them apart, or with other outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from mobilebench.tflite.file import dump, load
from mobilebench.tflite.graph import UNPACKING, kind_of


def cut_out(model: Any, index: int) -> bytes:
    """A file with one operator of the first subgraph, its constants, and what unpacks them."""
    graph = model.subgraphs[0]
    chosen = graph.operators[index]
    makers = {int(o.outputs[0]): o for o in graph.operators if _unpacks(model, o)}
    operators, wanted = [chosen], [int(t) for t in chosen.inputs if t >= 0]
    constants = set()
    while wanted:
        tensor = wanted.pop()
        if tensor in makers:
            operators.insert(0, makers[tensor])
            wanted.append(int(makers[tensor].inputs[0]))
        elif _has_data(model, graph.tensors[tensor]):
            constants.add(tensor)
    made = {int(t) for o in operators for t in o.outputs}
    inputs = [
        int(t) for o in operators for t in o.inputs if t >= 0 and int(t) not in constants | made
    ]
    return _part(model, operators, graph.tensors, list(dict.fromkeys(inputs)), chosen.outputs)


def twice(content: bytes) -> bytes:
    """The file with its last operator twice, side by side: both are given the same."""
    model = load(content)
    graph = model.subgraphs[0]
    again = copy(graph.operators[-1])
    outputs = []
    for tensor in again.outputs:
        graph.tensors.append(copy(graph.tensors[int(tensor)]))
        outputs.append(len(graph.tensors) - 1)
    again.outputs = np.array(outputs, dtype=np.int32)
    graph.operators = [*graph.operators, again]
    graph.outputs = np.array([*map(int, graph.outputs), *outputs], dtype=np.int32)
    return dump(model)


def with_outputs(content: bytes, tensors: Sequence[int]) -> bytes:
    """The whole file, but with those tensors of the first subgraph as its outputs."""
    model = load(content)
    # A signature names the outputs that it had.
    model.signatureDefs = None
    model.subgraphs[0].outputs = np.array(tensors, dtype=np.int32)
    return dump(model)


def given(content: bytes) -> dict[int, tuple[int, ...]]:
    """What each operator of the first subgraph is given: the tensors that are no constants.

    Variables are not among them, nor are operators that only unpack a constant.
    """
    model = load(content)
    graph, unpacked = model.subgraphs[0], _unpacked(model)
    return {
        index: tuple(int(t) for t in operator.inputs if _is_given(model, unpacked, int(t)))
        for index, operator in enumerate(graph.operators)
        if not any(int(t) in unpacked for t in operator.outputs)
    }


def apart(
    content: bytes, operators: Sequence[int], shapes: Mapping[int, tuple[int, ...]]
) -> tuple[bytes, tuple[int, ...]]:
    """A file in which no operator is given what another one computes.

    Each takes its own inputs from outside, but for constants (and what unpacks them) and variables.

    Args:
        content: a .tflite file.
        operators: of the first subgraph, by index.
        shapes: of each tensor that an operator is given: that of one sample, without a batch of 1.

    Returns:
        the file, whose outputs are those of the operators, and the tensors that its inputs stand
        for, in order.
    """
    model = load(content)
    graph = model.subgraphs[0]
    tensors, unpacked = list(graph.tensors), _unpacked(model)
    stand_ins: dict[int, int] = {}
    chosen: list[Any] = []
    unpackers: dict[int, Any] = {}

    def unpack(tensor: int) -> None:
        if tensor in unpacked and tensor not in unpackers:
            unpack(int(unpacked[tensor].inputs[0]))
            unpackers[tensor] = unpacked[tensor]

    def taken(tensor: int) -> int:
        if not _is_given(model, unpacked, tensor):
            unpack(tensor)
            return tensor
        if tensor not in stand_ins:
            own = copy(graph.tensors[tensor])
            has_batch = own.shape is not None and len(own.shape) > len(shapes[tensor])
            shape = (1, *shapes[tensor]) if has_batch else shapes[tensor]
            own.shape, own.shapeSignature = np.array(shape, dtype=np.int32), None
            stand_ins[tensor] = len(tensors)
            tensors.append(own)
        return stand_ins[tensor]

    for index in operators:
        operator = copy(graph.operators[index])
        operator.inputs = [taken(int(t)) for t in operator.inputs]
        chosen.append(operator)
    outputs = [int(t) for operator in chosen for t in operator.outputs]
    every = [*unpackers.values(), *chosen]
    return _part(model, every, tensors, list(stand_ins.values()), outputs), tuple(stand_ins)


def _part(
    model: Any,
    operators: Sequence[Any],
    tensors: Sequence[Any],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> bytes:
    """A file of some operators of the first subgraph."""
    single, part = copy(model), copy(model.subgraphs[0])
    single.subgraphs = [part]
    single.signatureDefs = single.metadata = single.metadataBuffer = None
    part.operators = [copy(o) for o in operators]
    part.tensors = list(tensors)
    part.inputs = np.array(inputs, dtype=np.int32)
    part.outputs = np.array([int(t) for t in outputs], dtype=np.int32)
    _keep_only(model, single)
    return dump(single)


def _keep_only(model: Any, single: Any) -> None:
    """Renumbers tensors and buffers to those that the operators use."""
    part = single.subgraphs[0]
    named = {t for o in part.operators for t in _tensors(o)} | {int(t) for t in part.inputs}
    used = sorted(named | {t for own in named for t in _scales(part.tensors[own]).values()})
    number = {old: new for new, old in enumerate(used)} | {-1: -1}
    part.tensors = [copy(part.tensors[old]) for old in used]
    single.buffers = [type(model.buffers[0])()]
    for tensor in part.tensors:
        single.buffers.append(model.buffers[tensor.buffer])
        tensor.buffer = len(single.buffers) - 1
        if scales := _scales(tensor):
            tensor.quantization = copy(tensor.quantization)
            tensor.quantization.details = copy(tensor.quantization.details)
            for name, own in scales.items():
                setattr(tensor.quantization.details, name, number[own])
    for operator in part.operators:
        for ends in ("inputs", "outputs", "intermediates"):
            numbers = getattr(operator, ends)
            if numbers is not None:
                setattr(operator, ends, np.array([number[int(t)] for t in numbers], dtype=np.int32))
    part.inputs = np.array([number[int(t)] for t in part.inputs], dtype=np.int32)
    part.outputs = np.array([number[int(t)] for t in part.outputs], dtype=np.int32)


def _tensors(operator: Any) -> Iterator[int]:
    for numbers in (operator.inputs, operator.outputs, operator.intermediates):
        yield from (int(t) for t in (() if numbers is None else numbers) if t >= 0)


def _is_given(model: Any, unpacked: Mapping[int, Any], tensor: int) -> bool:
    if tensor < 0 or tensor in unpacked:
        return False
    own = model.subgraphs[0].tensors[tensor]
    return not own.isVariable and not _has_data(model, own)


def _scales(tensor: Any) -> dict[str, int]:
    """The tensors that hold the scales of another one's blocks, by what they are called there."""
    details = getattr(tensor.quantization, "details", None)
    numbers = {name: getattr(details, name, -1) for name in ("scales", "zeroPoints")}
    return {name: own for name, own in numbers.items() if own >= 0}


def _unpacked(model: Any) -> dict[int, Any]:
    """The tensors that are unpacked constants, with the operator that unpacks them."""
    found: dict[int, Any] = {}
    graph = model.subgraphs[0]
    for operator in graph.operators:
        source = int(operator.inputs[0]) if _unpacks(model, operator) else -1
        if source in found or (source >= 0 and _has_data(model, graph.tensors[source])):
            found[int(operator.outputs[0])] = operator
    return found


def _unpacks(model: Any, operator: Any) -> bool:
    return kind_of(model, operator) in UNPACKING


def _has_data(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0
