"""A .tflite file as objects that can be changed, and back.

The classes are those that the schema's compiler made and LiteRT ships; what they lack is added
here: constants that lie behind the flatbuffer, where litert-quantizer puts them, and constants
that begin at a multiple of 16 bytes, as the runtime's own converter has them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mobilebench.models.array import Array

_ALIGNMENT = 16
_ENDS = ("inputs", "outputs")


def load(content: bytes) -> Any:
    """The file as the schema's ``ModelT``; the content of each buffer is uint8, or None.

    Each subgraph has lists of tensors, operators, inputs and outputs, and each operator of inputs
    and outputs, which may be empty.

    Raises:
        Exception: of many kinds, where the file is torn.
    """
    from ai_edge_litert import schema_py_generated as schema

    def behind(offset: int, size: int) -> Array:
        if offset + size > len(content):
            raise ValueError("a constant lies behind the end of the file")
        return np.frombuffer(content, np.uint8, size, offset)

    model = schema.ModelT.InitFromPackedBuf(content)
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 mean that there is nothing
            buffer.data = behind(buffer.offset, buffer.size)
            buffer.offset = buffer.size = 0
    for graph in model.subgraphs:
        _fill(graph, ("tensors", "operators"), list)
        _fill(graph, _ENDS, _no_numbers)
        for node in graph.operators:
            _fill(node, _ENDS, _no_numbers)
            if node.largeCustomOptionsOffset > 1:
                node.customOptions = behind(
                    node.largeCustomOptionsOffset, node.largeCustomOptionsSize
                )
                node.largeCustomOptionsOffset = node.largeCustomOptionsSize = 0
    return model


@functools.lru_cache(maxsize=1)
def load_to_read(content: bytes) -> Any:
    """The same as ``load``, for those that change nothing: the last one is kept and shared."""
    return load(content)


def _fill(table: Any, names: Iterable[str], empty: Callable[[], Any]) -> None:
    """Puts an empty list where a file has none, which means the same."""
    for name in names:
        if getattr(table, name) is None:
            setattr(table, name, empty())


def _no_numbers() -> Array:
    return np.zeros(0, np.int32)


def dump(model: Any) -> bytes:
    """The file of a ``ModelT``."""
    import flatbuffers

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        def CreateNumpyVector(self, x: Array) -> int:  # noqa: N802
            if x.dtype != np.uint8 or x.size < _ALIGNMENT:
                return int(super().CreateNumpyVector(x))
            self.StartVector(1, x.size, _ALIGNMENT)
            self.head -= x.size
            self.Bytes[self.head : self.head + x.size] = x.tobytes()
            self.vectorNumElems = x.size
            return int(self.EndVector())

    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def builtin(model: Any, operator: Any) -> int:
    """Which of the schema's ``BuiltinOperator`` an operator is."""
    return _builtin(model.operatorCodes[operator.opcodeIndex])


def operator_code(model: Any, operator: int, version: int) -> int:
    """The index of an operator in that version; added where it is missing."""
    from ai_edge_litert import schema_py_generated as schema

    for index, code in enumerate(model.operatorCodes):
        if (_builtin(code), code.version) == (operator, version):
            return index
    # Old readers know the one-byte field only, whose largest value says: look at the other.
    code = schema.OperatorCodeT(min(operator, 127), None, version, operator)
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _builtin(code: Any) -> int:
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))
