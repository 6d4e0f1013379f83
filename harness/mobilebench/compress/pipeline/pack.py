"""The size of a model as a download: what gzip, zstd and xz make of the runnable file.

A file on a device is as large as it is, but an app store, an update or a web page sends it packed.
gzip is what HTTP and app packages do everywhere; zstd unpacks faster and packs better; xz packs
best. Each at the highest of its usual levels, so that equal files have equal sizes everywhere.
There zstd and xz take minutes for 100 MB, so they are computed only where somebody asks for them.
"""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mobilebench.compress.step import unreported

if TYPE_CHECKING:
    from mobilebench.compress.step import Report

#: Bytes between two reports of the slowest packer's progress.
_PART = 2**18
_GZIP_LEVEL, _ZSTD_LEVEL, _XZ_LEVEL = 9, 19, 9
_XZ_DICTIONARY, _XZ_SMALLEST_DICTIONARY = 64 << 20, 4 << 10


def pack_gzip(content: bytes, _report: Report = unreported) -> bytes:
    """gzip, level 9 (RFC 1952), without a time."""
    return gzip.compress(content, _GZIP_LEVEL, mtime=0)


def pack_zstd(content: bytes, _report: Report = unreported) -> bytes:
    """Zstandard, level 19 (RFC 8878)."""
    import pyarrow

    packed: bytes = pyarrow.Codec("zstd", compression_level=_ZSTD_LEVEL).compress(
        content, asbytes=True
    )
    return packed


def pack_xz(content: bytes, report: Report = unreported) -> bytes:
    """xz, level 9; ``report`` is called with how many bytes are done, and of how many.

    That level names a dictionary of 64 MiB; here it is no larger than the content. Nothing packs
    worse by that, and unpacking needs no more memory than that.
    """
    dictionary = min(max(len(content), _XZ_SMALLEST_DICTIONARY), _XZ_DICTIONARY)
    chain = [{"id": lzma.FILTER_LZMA2, "preset": _XZ_LEVEL, "dict_size": dictionary}]
    packer = lzma.LZMACompressor(filters=chain)
    packed = []
    for start in range(0, len(content), _PART):
        report(start, len(content))
        packed.append(packer.compress(content[start : start + _PART]))
    packed.append(packer.flush())
    report(len(content), len(content))
    return b"".join(packed)


PACKERS: dict[str, tuple[Callable[[bytes, Report], bytes], str]] = {
    "gzip": (pack_gzip, ".gz"),
    "zstd": (pack_zstd, ".zst"),
    "xz": (pack_xz, ".xz"),
}
"""The function that packs, and the suffix of packed files. Each size is a metric of its own
(:mod:`mobilebench.metrics`)."""


#: What is always measured.
USUAL = ("gzip",)


def measure(
    content: bytes, packings: Collection[str] = USUAL, report: Report = unreported
) -> dict[str, int]:
    """The bytes by each of ``packings``, run side by side, since xz takes seconds for 10 MB.

    ``report`` is called with the progress of xz, the slowest, as by :func:`pack_xz`.
    """
    if not packings:
        return {}
    with ThreadPoolExecutor(len(packings)) as threads:
        packed = {
            name: threads.submit(PACKERS[name][0], content, report)
            for name in PACKERS
            if name in packings
        }
        return {name: len(one.result()) for name, one in packed.items()}
