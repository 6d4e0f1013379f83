"""Outputs of a model that are used within it, too: what follows goes on from the integers.

litert-quantizer hangs the DEQUANTIZE of such an output before all that uses it, so that an operator
with integer kernels is given float32, which no runtime takes: XNNPACK refuses to be prepared, and
kernels without it fail or misread.
"""

from __future__ import annotations

from typing import Any

from mobilebench.tflite import file
from mobilebench.tflite.graph import kind_of

#: What reads float32 and writes integers by design.
_CONVERTERS = ("QUANTIZE", "CAST")


def with_integer_uses(content: bytes) -> bytes:
    """The same model with operators that compute in integers on the integers of an output.

    A file that has no such operator is given back as it is.
    """
    from ai_edge_litert import schema_py_generated as schema

    integers = (schema.TensorType.INT8, schema.TensorType.INT16)
    model = file.load(content)
    changed = False
    for graph in model.subgraphs:
        operators = list(graph.operators or ())
        ends = {int(index) for index in graph.outputs}
        before = {
            int(operator.outputs[0]): int(operator.inputs[0])
            for operator in operators
            if kind_of(model, operator) == "DEQUANTIZE"
            and int(operator.outputs[0]) in ends
            and graph.tensors[int(operator.inputs[0])].type in integers
        }
        for operator in operators:
            if not before or not _computes_in(integers, model, graph, operator):
                continue
            taken = [before.get(int(index), int(index)) for index in operator.inputs]
            if taken != [int(index) for index in operator.inputs]:
                operator.inputs = taken
                changed = True
    return file.dump(model) if changed else content


def _computes_in(types: tuple[int, ...], model: Any, graph: Any, operator: Any) -> bool:
    """Whether all that an operator gives is of these types, and it is there to compute."""
    given = [graph.tensors[int(index)].type for index in operator.outputs]
    return (
        bool(given)
        and all(kind in types for kind in given)
        and kind_of(model, operator) not in _CONVERTERS
    )
