"""Real .tflite files with other ends, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mobilebench.tflite.file import builtin, dump, load, operator_code

#: As the schema numbers it.
_FULLY_CONNECTED = 9


def changed(content: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after ``change`` has had its first subgraph."""
    model = load(content)
    change(model.subgraphs[0])
    return dump(model)


def with_input(content: bytes, shape: list[int]) -> bytes:
    """The file with another shape of its first input; -1 for what is open."""

    def change(graph: Any) -> None:
        tensor = graph.tensors[graph.inputs[0]]
        tensor.shape = np.abs(np.array(shape, np.int32))
        tensor.shapeSignature = np.array(shape, np.int32) if min(shape) < 0 else None

    return changed(content, change)


def open_shape(path: Path, content: bytes, shape: list[int]) -> Path:
    """Like :func:`with_input`, but the file's own lengths stay in place of what is open."""

    def change(graph: Any) -> None:
        graph.tensors[graph.inputs[0]].shapeSignature = np.array(shape, np.int32)

    path.write_bytes(changed(content, change))
    return path


def with_symmetric_inputs(content: bytes) -> bytes:
    """The file with its Dense layers as litert-quantizer leaves them, and other tools write them.

    With 8-bit weights and float inputs TensorFlow Lite's kernels for Arm misread them.
    """
    model = load(content)
    for graph in model.subgraphs:
        for operator in graph.operators:
            if builtin(model, operator) == _FULLY_CONNECTED:
                operator.builtinOptions.asymmetricQuantizeInputs = False
                operator.opcodeIndex = operator_code(model, _FULLY_CONNECTED, 1)
    return dump(model)
