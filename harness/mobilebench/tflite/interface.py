"""What a .tflite takes and gives: read from the file alone, without TensorFlow or a runtime.

Only the description of the ends is read, not the weights, so that a large file costs nothing.
"""

from __future__ import annotations

from typing import Any

from mobilebench.records.interface import Interface, Quantization, TensorInfo
from mobilebench.tflite.graph import read_whole


def read(content: bytes, where: str) -> Interface:
    """The interface of a .tflite file.

    Args:
        content: the file.
        where: what error messages call it.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    return read_whole(content, where, _interface)


def _interface(content: bytes) -> Interface:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    signature = _signature(model)
    inputs = [graph.Inputs(i) for i in range(graph.InputsLength())]
    outputs = [graph.Outputs(i) for i in range(graph.OutputsLength())]
    named_inputs = {} if signature is None else _names(signature, "Inputs")
    named_outputs = {} if signature is None else _names(signature, "Outputs")
    types = {value: name.lower() for name, value in vars(schema.TensorType).items()}
    return Interface(
        tuple(_end(graph.Tensors(i), named_inputs.get(i), types) for i in inputs),
        tuple(_end(graph.Tensors(i), named_outputs.get(i), types) for i in outputs),
        "" if signature is None else _text(signature.SignatureKey()),
    )


def _signature(model: Any) -> Any:
    """The signature of the first subgraph, which is the one that runs; None if there is none."""
    every = [model.SignatureDefs(i) for i in range(model.SignatureDefsLength())]
    return next((signature for signature in every if signature.SubgraphIndex() == 0), None)


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
