"""What must hold of the binaries in an APK: how native libraries load, and what the dex calls."""

from __future__ import annotations

import struct

_PT_LOAD, _PT_GNU_RELRO = 1, 0x6474E552
#: No page is larger: what an address is a multiple of beyond it does not matter.
_LARGEST_PAGE = 1 << 16
#: The dex map's item of call sites: without one there is no ``invoke-custom`` (dex format, AOSP).
_CALL_SITES = 0x0007


def load_alignment(elf: bytes) -> int:
    """For memory pages of how many bytes an ELF library is built.

    Below 16384 a system with 16 KB pages cannot load the library but in a mode for such. What a
    segment declares does not hold where its address and its place in the file differ by no
    multiple of it, nor where its read-only part ends within a page.
    """
    if elf[:4] != b"\x7fELF":
        raise ValueError("no ELF file")
    if elf[4] == 2:
        (table,) = struct.unpack_from("<Q", elf, 32)
        size, count = struct.unpack_from("<HH", elf, 54)
        fields = "<IxxxxQQxxxxxxxxxxxxxxxxQQ"  # kind, offset, address, size in memory, alignment
    else:
        (table,) = struct.unpack_from("<I", elf, 28)
        size, count = struct.unpack_from("<HH", elf, 42)
        fields = "<IIIxxxxxxxxIxxxxI"
    alignments = []
    for header in range(table, table + size * count, size):
        kind, offset, address, length, alignment = struct.unpack_from(fields, elf, header)
        if kind == _PT_LOAD:
            alignments += [alignment, _multiple(address - offset)]
        elif kind == _PT_GNU_RELRO:
            alignments.append(_multiple(address + length))
    return int(min(alignments))


def _multiple(number: int) -> int:
    """The largest power of two that a number is a multiple of."""
    return number & -number or _LARGEST_PAGE


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
