"""An APK as a zip file: the same bytes for the same content, everything stored and aligned.

Nothing is compressed: native libraries and the resource table must be stored to be mapped, and
a compressor's output would differ with its version. The Python package compresses it all.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Android maps native libraries from the APK by pages, and 16 KB pages exist (Android 15).
LIBRARY_ALIGNMENT = 16384
ALIGNMENT = 4

#: The extra field by which zipalign and apksig keep an entry's alignment: its multiple, padding.
_ALIGNMENT_FIELD = 0xD935
_LOCAL_HEADER = 30
#: 1 January 1981, as zip writes it.
_DATE = 1 << 9 | 1 << 5 | 1
_UTF8 = 0x800


@dataclass(frozen=True)
class Entry:
    """Where a file stands in an APK."""

    name: str
    stored: bool
    offset: int
    size: int


def write(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files in a fixed order: the manifest first, the others by name."""
    with path.open("wb") as out:
        directory = b""
        for name in sorted(files, key=lambda name: (name != "AndroidManifest.xml", name)):
            content = files[name]
            start = out.tell()
            encoded = name.encode()
            multiple = LIBRARY_ALIGNMENT if name.endswith(".so") else ALIGNMENT
            # Header, name, then the field's own four and two bytes come before its padding.
            padding = -(start + _LOCAL_HEADER + len(encoded) + 6) % multiple
            extra = struct.pack("<HHH", _ALIGNMENT_FIELD, 2 + padding, multiple) + bytes(padding)
            checks = struct.pack("<III", zlib.crc32(content), len(content), len(content))
            common = struct.pack("<HHHHH", 20, _UTF8, 0, 0, _DATE) + checks
            lengths = struct.pack("<HH", len(encoded), len(extra))
            out.write(b"PK\3\4" + common + lengths + encoded + extra + content)
            directory += b"PK\1\2" + struct.pack("<H", 20) + common
            directory += struct.pack("<HHHHHII", len(encoded), 0, 0, 0, 0, 0, start) + encoded
        start = out.tell()
        count = len(files)
        end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, 0)
        out.write(directory + b"PK\5\6" + end)


def entries(path: Path) -> list[Entry]:
    """Every file of an APK and where its bytes begin."""
    found = []
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for info in archive.infolist():
            file.seek(info.header_offset + _LOCAL_HEADER - 4)
            name_length, extra_length = struct.unpack("<HH", file.read(4))
            offset = info.header_offset + _LOCAL_HEADER + name_length + extra_length
            stored = info.compress_type == zipfile.ZIP_STORED
            found.append(Entry(info.filename, stored, offset, info.file_size))
    return found
