"""A .tflite file as objects that can be changed, and back.

The classes are those that the schema's compiler made and LiteRT ships; what they lack is added
here: constants that lie behind the flatbuffer, where litert-quantizer puts them, and constants
that begin at a multiple of 16 bytes, as the runtime's own converter has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from harness.models.array import Array

_ALIGNMENT = 16


def read(content: bytes) -> Any:
    """The file as the schema's ``ModelT``; the content of each buffer is uint8, or None."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 mean that there is nothing
            end = buffer.offset + buffer.size
            buffer.data = np.frombuffer(content[buffer.offset : end], np.uint8)
            buffer.offset = buffer.size = 0
    return model


def write(model: Any) -> bytes:
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


def operator(model: Any, index: int) -> int:
    """The built-in operator that ``operatorCodes[index]`` means."""
    code = model.operatorCodes[index]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def operator_code(model: Any, operator: int, version: int) -> int:
    """The index of an operator in that version; added where it is missing."""
    from ai_edge_litert import schema_py_generated as schema

    for index, code in enumerate(model.operatorCodes):
        known = max(code.builtinCode, code.deprecatedBuiltinCode), code.version
        if known == (operator, version):
            return index
    # Old readers know the one-byte field only, whose largest value says: look at the other.
    code = schema.OperatorCodeT(min(operator, 127), None, version, operator)
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
