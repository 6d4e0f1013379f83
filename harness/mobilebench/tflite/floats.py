"""A .tflite of float weights as every tool takes it: float32 constants, modern operator codes.

Converters store half-size weights as float16 constants that DEQUANTIZE unpacks when the model is
loaded, and sparse ones behind DENSIFY. Half of the .tflite files that people publish are such.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilebench.models.array import Array
from mobilebench.tflite.file import builtin, dump, load, load_to_read


def has_halves(content: bytes) -> bool:
    """Whether some float16 constant is unpacked to float32."""
    model = load_to_read(content)
    return any(_halves(model, graph) for graph in model.subgraphs)


def unpacked(content: bytes) -> bytes:
    """The same model with float32 constants in place of those that are unpacked to them.

    The answers are the same. A file without any is given back as it is, but for operators that
    only old readers know by their codes, and tensors whose names are not theirs alone: both are
    mended, since quantizers go by them.
    """
    model = load(content)
    changed = _is_old(model)
    changed |= _has_twins(model)
    for graph in model.subgraphs:
        changed |= bool(_unpack_sparse(model, graph))
        changed |= bool(_unpack_halves(model, graph))
    return dump(model) if changed else content


def _is_old(model: Any) -> bool:
    """Gives operators their modern codes; whether some had none."""
    old = [code for code in model.operatorCodes if code.deprecatedBuiltinCode > code.builtinCode]
    for code in old:
        code.builtinCode = code.deprecatedBuiltinCode
    return bool(old)


def _has_twins(model: Any) -> bool:
    """Gives tensors names of their own; whether some had none. Ends of the model keep theirs."""
    seen: set[bytes] = set()
    changed = False
    for graph in model.subgraphs:
        ends = {int(i) for some in (graph.inputs, graph.outputs) if some is not None for i in some}
        order = sorted(range(len(graph.tensors)), key=lambda index: index not in ends)
        for index in order:
            tensor = graph.tensors[index]
            name = tensor.name or b"tensor"
            name = own = name.encode() if isinstance(name, str) else bytes(name)
            number = 1
            while own in seen:
                number += 1
                own = name + f"_{number}".encode()
            seen.add(own)
            if own != tensor.name:
                tensor.name, changed = own, True
    return changed


def _halves(model: Any, graph: Any) -> list[Any]:
    from ai_edge_litert import schema_py_generated as schema

    found = []
    for operator in graph.operators:
        if builtin(model, operator) != schema.BuiltinOperator.DEQUANTIZE:
            continue
        packed = graph.tensors[int(operator.inputs[0])]
        data = model.buffers[packed.buffer].data
        if (
            packed.type == schema.TensorType.FLOAT16
            and data is not None
            and packed.sparsity is None
        ):
            found.append(operator)
    return found


def _unpack_halves(model: Any, graph: Any) -> int:
    operators = _halves(model, graph)
    for operator in operators:
        data = model.buffers[graph.tensors[int(operator.inputs[0])].buffer].data
        values = np.frombuffer(bytes(bytearray(data)), "<f2").astype("<f4")
        _replace(model, graph, operator, values)
    return len(operators)


def _unpack_sparse(model: Any, graph: Any) -> int:
    from ai_edge_litert import schema_py_generated as schema

    kinds = {schema.TensorType.FLOAT16: "<f2", schema.TensorType.FLOAT32: "<f4"}
    operators = [
        operator
        for operator in graph.operators
        if builtin(model, operator) == schema.BuiltinOperator.DENSIFY
        and graph.tensors[int(operator.inputs[0])].type in kinds
    ]
    for operator in operators:
        packed = graph.tensors[int(operator.inputs[0])]
        kind = kinds[packed.type]
        data = model.buffers[packed.buffer].data
        stored = np.frombuffer(bytes(bytearray(data)), kind)
        _replace(model, graph, operator, dense(packed, stored))
    return len(operators)


def dense(tensor: Any, stored: Array) -> Array:
    """A sparse tensor's values with its zeros.

    Args:
        tensor: the schema's ``TensorT``, with its shape and ``sparsity``.
        stored: the values that are stored, flat.

    Returns:
        all values, in the tensor's shape.
    """
    sparsity = tensor.sparsity
    shape = [int(n) for n in tensor.shape]
    order = [int(n) for n in sparsity.traversalOrder]
    blocks = [int(n) for n in (sparsity.blockMap if sparsity.blockMap is not None else ())]
    sizes = [0] * len(order)
    # Along the traversal: for each value that is stored, its place in each dimension.
    places = np.zeros((1, 0), np.int64)
    rows = np.zeros(1, np.int64)
    for level, dimension in enumerate(sparsity.dimMetadata):
        if dimension.format == 0:
            size = int(dimension.denseSize)
            sizes[level] = size
            inner = np.tile(np.arange(size), len(places))
            places = np.column_stack([np.repeat(places, size, axis=0), inner])
            rows = np.repeat(rows, size) * size + inner
            continue
        segments = np.asarray(dimension.arraySegments.values, np.int64)
        indices = np.asarray(dimension.arrayIndices.values, np.int64)
        counts = segments[rows + 1] - segments[rows]
        chosen = np.concatenate([np.arange(segments[r], segments[r + 1]) for r in rows] or [rows])
        places = np.column_stack([np.repeat(places, counts, axis=0), indices[chosen]])
        rows = chosen
    block_of = {blocks[k]: len(shape) + k for k in range(len(blocks))}
    width = {order[level]: size for level, size in enumerate(sizes) if size}
    column = {axis: level for level, axis in enumerate(order)}
    index = []
    for axis in range(len(shape)):
        place = places[:, column[axis]]
        if axis in block_of:
            block = block_of[axis]
            place = place * width[block] + places[:, column[block]]
        index.append(place)
    made = np.zeros(shape, stored.dtype)
    made[tuple(index)] = stored[: len(places)]
    return made


def _replace(model: Any, graph: Any, operator: Any, values: Array) -> None:
    """Makes what an operator gives a constant, and takes the operator away."""
    from ai_edge_litert import schema_py_generated as schema

    made = graph.tensors[int(operator.outputs[0])]
    data = np.ascontiguousarray(values).view(np.uint8).ravel()
    model.buffers.append(schema.BufferT(data))
    made.buffer = len(model.buffers) - 1
    made.sparsity = None
    packed = graph.tensors[int(operator.inputs[0])]
    graph.operators = [other for other in graph.operators if other is not operator]
    if not any(_reads(other, int(operator.inputs[0])) for other in graph.operators):
        packed.sparsity = None
        _empty(model, packed)


def _reads(operator: Any, tensor: int) -> bool:
    return tensor in [int(i) for i in operator.inputs]


def _empty(model: Any, packed: Any) -> None:
    """Drops the constant of a tensor that nobody reads any more."""
    users = sum(t.buffer == packed.buffer for graph in model.subgraphs for t in graph.tensors)
    if users == 1:
        model.buffers[packed.buffer].data = None
    packed.buffer, packed.shape = 0, [0]
