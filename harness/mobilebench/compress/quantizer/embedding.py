"""Embeddings as the operator that has small weights.

The converter writes a Keras embedding as GATHER, which litert-quantizer leaves in float32 unless
activations are quantized, too. EMBEDDING_LOOKUP reads the same rows and can hold them in 8 or 4
bits with a scale a row, which it unpacks row by row; but it takes a flat list of rows.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from mobilebench.tflite import file


def with_lookups(content: bytes) -> bytes:
    """The same model with EMBEDDING_LOOKUP where it has a GATHER of rows of a float32 table.

    The outputs are the same to the bit. A GATHER of another kind, or of as many rows as the
    input says, stays.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = file.load(content)
    changed = False
    for graph in model.subgraphs:
        for gather in list(graph.operators):
            if _is_embedding(model, graph, gather):
                changed = True
                _replace(model, graph, gather, schema)
    return file.dump(model) if changed else content


def _is_embedding(model: Any, graph: Any, operator: Any) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    if file.builtin(model, operator) != schema.BuiltinOperator.GATHER:
        return False
    table, rows = (graph.tensors[int(i)] for i in operator.inputs)
    options = operator.builtinOptions
    return (
        (options is None or (options.axis == 0 and options.batchDims == 0))
        and table.type == schema.TensorType.FLOAT32
        and len(table.shape) == 2
        and model.buffers[table.buffer].data is not None
        and rows.type in (schema.TensorType.INT32, schema.TensorType.INT64)
        and (rows.shapeSignature is None or -1 not in rows.shapeSignature)
    )


def _replace(model: Any, graph: Any, gather: Any, schema: Any) -> None:
    """Flattens the row numbers, looks the rows up, and gives them GATHER's shape."""
    table, rows = (int(i) for i in gather.inputs)
    (out,) = (int(i) for i in gather.outputs)
    count = int(np.prod(graph.tensors[rows].shape, dtype=np.int64))
    width = int(graph.tensors[table].shape[1])
    name = bytes(graph.tensors[out].name or b"embedding")

    def tensor(suffix: bytes, like: int, shape: list[int]) -> int:
        made = copy.copy(graph.tensors[like])
        made.name, made.shape, made.shapeSignature, made.buffer = name + suffix, shape, None, 0
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def reshape(source: int, target: int) -> Any:
        shape = np.array(graph.tensors[target].shape, dtype="<i4")
        model.buffers.append(schema.BufferT(shape.view(np.uint8)))
        wanted = schema.TensorT()
        wanted.name = bytes(graph.tensors[target].name) + b"_shape"
        wanted.shape, wanted.type = [len(shape)], schema.TensorType.INT32
        wanted.buffer = len(model.buffers) - 1
        graph.tensors.append(wanted)
        code = file.operator_code(model, schema.BuiltinOperator.RESHAPE, 1)
        return schema.OperatorT(code, [source, len(graph.tensors) - 1], [target])

    flat = tensor(b"_rows", rows, [count])
    narrowed = []
    if graph.tensors[rows].type == schema.TensorType.INT64:  # which the operator does not take
        wide, flat = flat, tensor(b"_narrow", rows, [count])
        graph.tensors[flat].type = schema.TensorType.INT32
        code = file.operator_code(model, schema.BuiltinOperator.CAST, 1)
        options = schema.CastOptionsT()
        options.inDataType, options.outDataType = schema.TensorType.INT64, schema.TensorType.INT32
        kind = schema.BuiltinOptions.CastOptions
        narrowed = [reshape(rows, wide), schema.OperatorT(code, [wide], [flat], kind, options)]
    found = tensor(b"_lookup", out, [count, width])
    code = file.operator_code(model, schema.BuiltinOperator.EMBEDDING_LOOKUP, 1)
    lookup = schema.OperatorT(code, [flat, table], [found])
    place = graph.operators.index(gather)
    flattened = narrowed or [reshape(rows, flat)]
    graph.operators[place : place + 1] = [*flattened, lookup, reshape(found, out)]
