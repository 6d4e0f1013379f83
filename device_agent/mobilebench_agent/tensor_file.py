"""Tensors in a file, row by row: the safetensors format, which the host's library reads.

Eight bytes hold the length of a JSON header, which names each tensor's type, shape and place; the
values follow, little-endian. A file is neither read nor written as a whole, so that memory does
not grow with the number of samples. The header is not trusted.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Dict, List, Mapping, Tuple

import numpy as np

#: The longest header that is read: that of a model with thousands of inputs.
MAX_HEADER_BYTES = 1 << 20

_LENGTH = struct.Struct("<Q")
_ALIGNMENT = 8

#: The format's name of each type that a tensor may have.
TYPES: Dict[str, Any] = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}


class TensorFileError(ValueError):
    """A file that is none of this format; the message is a clause about "it"."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: its type, its shape, and where in the file its values begin."""

    dtype: Any
    shape: Tuple[int, ...]
    start: int

    @property
    def row_bytes(self) -> int:
        """The length of one row: of everything behind the first dimension."""
        return _bytes(self.dtype, self.shape[1:])


class Reader:
    """A file whose tensors are read row by row.

    Args:
        file: open for reading bytes.

    Attributes:
        entries: the tensors, by name. The first dimension of each counts its rows.

    Raises:
        TensorFileError: the header does not fit the file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.entries = self._header()

    def row(self, name: str, number: int) -> Any:
        """One row of a tensor, of shape ``entries[name].shape[1:]``.

        Raises:
            TensorFileError: the file ends before.
        """
        entry = self.entries[name]
        self._file.seek(entry.start + number * entry.row_bytes)
        content = self._exactly(entry.row_bytes)
        if entry.dtype.kind == "b":
            # Any byte but 0 is true; a kernel may expect nothing but 0 and 1.
            content = (np.frombuffer(content, np.uint8) != 0).tobytes()
        return np.frombuffer(content, entry.dtype).reshape(entry.shape[1:])

    def _header(self) -> Dict[str, Entry]:
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        if size < _LENGTH.size:
            raise TensorFileError("it has no header")
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        start = _LENGTH.size + length
        if length > MAX_HEADER_BYTES or start > size:
            raise TensorFileError(f"its header cannot be {length} bytes long")
        try:
            header = json.loads(self._exactly(length), object_pairs_hook=_without_repetition)
        except (ValueError, RecursionError) as error:
            raise TensorFileError(f"its header cannot be read: {error}") from error
        if not isinstance(header, dict):
            raise TensorFileError("its header is no JSON object")
        header.pop("__metadata__", None)
        return _entries(header, start, size - start)

    def _exactly(self, count: int) -> bytes:
        content = self._file.read(count)
        if len(content) < count:
            raise TensorFileError("it ends before its last value")
        return content


class Writer:
    """A file whose tensors are written row by row.

    Args:
        descriptor: of a new file, which the caller closes.
        rows: type and shape of one row of each tensor.
        count: the number of rows of each.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(
        self, descriptor: int, rows: Mapping[str, Tuple[Any, Tuple[int, ...]]], count: int
    ) -> None:
        names = {dtype: name for name, dtype in TYPES.items()}
        header: Dict[str, Any] = {}
        places: Dict[str, Tuple[Any, Tuple[int, ...], int]] = {}
        end = 0
        for name, (dtype, shape) in rows.items():
            begin, end = end, end + _bytes(dtype, (count, *shape))
            places[name] = (dtype, shape, begin)
            header[name] = {
                "dtype": names[dtype],
                "shape": [count, *shape],
                "data_offsets": [begin, end],
            }
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % _ALIGNMENT)
        start = _LENGTH.size + len(text)
        self._descriptor = descriptor
        self._entries = {
            name: Entry(dtype, (count, *shape), start + begin)
            for name, (dtype, shape, begin) in places.items()
        }
        os.truncate(descriptor, start + end)
        self._write(_LENGTH.pack(len(text)) + text, 0)

    def write(self, name: str, number: int, values: Any) -> None:
        """Writes one row: values of the tensor's type, as many as one row has.

        Raises:
            OSError: there is no room for it.
        """
        entry = self._entries[name]
        content = np.asarray(values, entry.dtype).tobytes()
        assert len(content) == entry.row_bytes
        self._write(content, entry.start + number * entry.row_bytes)

    def _write(self, content: bytes, place: int) -> None:
        left = memoryview(content)
        while left:
            done = os.pwrite(self._descriptor, left, place)
            left, place = left[done:], place + done


def _bytes(dtype: Any, shape: Tuple[int, ...]) -> int:
    count = int(dtype.itemsize)
    for length in shape:
        count *= length
    return count


def _entries(header: Dict[str, Any], start: int, size: int) -> Dict[str, Entry]:
    """The tensors of a header; together they must fill the file behind it exactly."""
    entries: Dict[str, Entry] = {}
    spans: List[Tuple[int, int]] = []
    for name, described in header.items():
        entry, begin, end = _entry(name, described, start)
        entries[name] = entry
        spans.append((begin, end))
    reached = 0
    for begin, end in sorted(spans):
        if begin != reached:
            raise TensorFileError("its tensors overlap, or leave a gap between them")
        reached = end
    if reached != size:
        raise TensorFileError(f"its tensors take {reached} bytes, and it has {size} for them")
    return entries


def _entry(name: str, described: Any, start: int) -> Tuple[Entry, int, int]:
    if not isinstance(described, dict):
        raise TensorFileError(f"tensor {name!r} is not described by an object")
    kind: Any = described.get("dtype")
    shape: Any = described.get("shape")
    offsets: Any = described.get("data_offsets")
    dtype = TYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        raise TensorFileError(f"tensor {name!r} has type {kind!r}, known are {', '.join(TYPES)}")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise TensorFileError(f"tensor {name!r} has no shape, or no place in the file")
    begin, end = offsets
    if end - begin != _bytes(dtype, tuple(shape)):
        raise TensorFileError(f"tensor {name!r} has another length than its shape says")
    return Entry(dtype, tuple(shape), start + begin), begin, end


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < 2**63 for n in values)


def _without_repetition(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice")
    return found
