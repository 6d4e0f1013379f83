"""What must hold of the binaries in an APK: how native libraries load, and what the dex calls."""

from __future__ import annotations

import struct

_PT_LOAD = 1
#: The dex map's item of call sites: without one there is no ``invoke-custom`` (dex format, AOSP).
_CALL_SITES = 0x0007


def load_alignment(elf: bytes) -> int:
    """The smallest alignment of an ELF library's loaded segments, in bytes.

    Below 16384 the library cannot be loaded by a system with 16 KB pages.
    """
    if elf[:4] != b"\x7fELF":
        raise ValueError("no ELF file")
    if elf[4] == 2:
        (table,) = struct.unpack_from("<Q", elf, 32)
        size, count = struct.unpack_from("<HH", elf, 54)
        alignment_at, kind = 48, "<Q"
    else:
        (table,) = struct.unpack_from("<I", elf, 28)
        size, count = struct.unpack_from("<HH", elf, 42)
        alignment_at, kind = 28, "<I"
    alignments = [
        struct.unpack_from(kind, elf, header + alignment_at)[0]
        for header in range(table, table + size * count, size)
        if struct.unpack_from("<I", elf, header)[0] == _PT_LOAD
    ]
    return int(min(alignments))


def has_call_sites(dex: bytes) -> bool:
    """Whether a dex file has call sites, which ``invoke-custom`` needs and Java 8 code must not.

    A dexer that leaves them in (dx does) makes an app that crashes where they are not supported.
    """
    if dex[:4] != b"dex\n":
        raise ValueError("no dex file")
    (map_at,) = struct.unpack_from("<I", dex, 52)
    (count,) = struct.unpack_from("<I", dex, map_at)
    kinds = [struct.unpack_from("<H", dex, map_at + 4 + 12 * item)[0] for item in range(count)]
    return _CALL_SITES in kinds
