"""Dense layers that compute in float32 with 8-bit weights, and where runtimes disagree about them.

Such a FULLY_CONNECTED with one scale an output channel needs asymmetric inputs: with symmetric ones
TensorFlow Lite's own kernels for Arm ignore the scales (seen with 2.16.1, with XNNPACK and without
it; in later versions where XNNPACK does not take the layer).
"""

from __future__ import annotations

from typing import Any

from mobilebench.tflite import file
from mobilebench.tflite.graph import read_whole

#: The version that TensorFlow's own converter gives such a layer: TensorFlow Lite 2.16 refuses it.
#: Under a lower one it takes the layer, and computes something else.
_OWN_VERSION = 12


def is_per_channel(model: Any, graph: Any, operator: Any) -> bool:
    """Whether an operator of a ``ModelT`` is such a layer, with a scale for each channel."""
    from ai_edge_litert import schema_py_generated as schema

    if file.builtin(model, operator) != schema.BuiltinOperator.FULLY_CONNECTED:
        return False
    activations, kernel = (graph.tensors[int(index)] for index in operator.inputs[:2])
    scales = None if kernel.quantization is None else kernel.quantization.scale
    return (
        activations.type == schema.TensorType.FLOAT32
        and kernel.type == schema.TensorType.INT8
        and model.buffers[kernel.buffer].data is not None
        and scales is not None
        and len(scales) > 1
    )


def warnings(content: bytes, where: str) -> tuple[str, ...]:
    """What to say of a file whose answers are not the same everywhere, in one sentence.

    Args:
        content: the .tflite.
        where: what error messages call it.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    names = read_whole(content, where, _misread)
    if not names:
        return ()
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    said = (
        f"FULLY_CONNECTED {names[0]!r}{more}: 8-bit weights with a scale for each channel, and "
        "float inputs that are rounded symmetrically: TensorFlow Lite 2.16 on Arm computes wrong "
        "answers with such a layer, without an error; dynamic_int8, applied to the float32 model, "
        "makes a file that it and LiteRT compute rightly"
    )
    return (said,)


def _misread(content: bytes) -> list[str]:
    model = file.load_to_read(content)
    return [
        _name(graph, operator)
        for graph in model.subgraphs
        for operator in graph.operators
        if is_per_channel(model, graph, operator)
        and model.operatorCodes[operator.opcodeIndex].version < _OWN_VERSION
        and not (operator.builtinOptions and operator.builtinOptions.asymmetricQuantizeInputs)
    ]


def _name(graph: Any, operator: Any) -> str:
    name = graph.tensors[int(operator.outputs[0])].name or b""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
