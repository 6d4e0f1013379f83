"""Large arrays of an .npz file, mapped into memory instead of read."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np

from mobilebench.models.array import Array

#: Smaller ones are read.
_LARGE = 64 << 20
_PART = 1 << 20
#: Of a member's header in the archive: its length, and where the lengths of name and extra are.
_HEADER, _LENGTHS = 30, slice(26, 30)


def mapped_member(path: Path, name: str) -> Array | None:
    """An array of the archive, of which no more is in memory than is looked at.

    None: it is small, compressed, or of a form that cannot be mapped.

    Raises:
        zipfile.BadZipFile: it is damaged.
        ValueError, OSError: likewise.
    """
    with zipfile.ZipFile(path) as archive:
        if name not in archive.namelist():
            return None
        member = archive.getinfo(name)
        if member.compress_type != zipfile.ZIP_STORED or member.file_size < _LARGE:
            return None
        with archive.open(member) as content:
            while content.read(_PART):  # its end compares the sum of all
                pass
    with path.open("rb") as file:
        file.seek(member.header_offset)
        lengths = struct.unpack("<HH", file.read(_HEADER)[_LENGTHS])
        file.seek(member.header_offset + _HEADER + sum(lengths))
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            return None
        read = np.lib.format.read_array_header_1_0
        if version == (2, 0):
            read = np.lib.format.read_array_header_2_0
        shape, is_fortran, kind = read(file)
        if is_fortran or kind.hasobject:
            return None
        return np.memmap(path, kind, "r", file.tell(), shape)
