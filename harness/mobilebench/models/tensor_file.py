"""Safetensors files written a part at a time, so that they may be larger than memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.models.array import Array

#: Samples are looked at, changed and written so many bytes at a time.
PART_BYTES = 64 << 20

#: In the order in which the library writes them, with the names that it has for them.
_NAMES = {
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "float32": "F32",
    "uint32": "U32",
    "int32": "I32",
    "float16": "F16",
    "uint16": "U16",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
_ORDER = list(_NAMES)
_ALIGNMENT = 8


@dataclass(frozen=True)
class Streamed:
    """What a file is to hold: shape, type, and a function that gives it some rows at a time."""

    shape: tuple[int, ...]
    kind: np.dtype[Any]
    parts: Callable[[], Iterable[Array]]

    @classmethod
    def of(cls, array: Array) -> Streamed:
        """An array, which may be a file that is mapped into memory."""
        return cls(array.shape, array.dtype, lambda: parts(array))


def parts(array: Array) -> Iterable[Array]:
    """An array some rows at a time."""
    if not array.ndim:
        yield array
        return
    rows = rows_of(array.nbytes, len(array))
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def rows_of(size: int, count: int) -> int:
    """How many of that many rows make a part: at least one, whatever it takes."""
    return max(1, PART_BYTES * count // max(size, 1))


def write(path: Path, tensors: Mapping[str, Streamed], metadata: Mapping[str, str]) -> None:
    """Writes the same bytes as ``safetensors.numpy.save_file``.

    Args:
        path: of the file; it is begun anew.
        tensors: by name.
        metadata: none if it is empty.

    Raises:
        OSError: the disk is full or failing.
        ValueError: a tensor has a type that such files do not hold, or other rows than it says.
    """
    kinds = {name: tensor.kind.newbyteorder("=") for name, tensor in tensors.items()}
    if unknown := [str(kind) for kind in kinds.values() if kind.name not in _NAMES]:
        raise ValueError(f"tensors of type {unknown[0]} cannot be written")
    names = sorted(tensors, key=lambda name: (_ORDER.index(kinds[name].name), name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in names:
        start, end = end, end + int(np.prod(tensors[name].shape)) * kinds[name].itemsize
        header[name] = {
            "dtype": _NAMES[kinds[name].name],
            "shape": list(tensors[name].shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        before = file.tell()
        for name in names:
            for part in tensors[name].parts():
                file.write(np.ascontiguousarray(part, kinds[name]).data)
            if file.tell() - before != header[name]["data_offsets"][1]:
                raise ValueError(f"tensor {name!r} has other rows than its shape says")
