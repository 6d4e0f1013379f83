from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pyarrow
from mobilebench.compress.pipeline.cache import Cache
from mobilebench.compress.pipeline.pack import PACKERS, measure, pack_gzip, pack_xz, pack_zstd


def test_packed_files_unpack_to_the_same(model_file: Path) -> None:
    content = model_file.read_bytes()
    gz, zst, xz = pack_gzip(content), pack_zstd(content), pack_xz(content)
    assert gzip.decompress(gz) == lzma.decompress(xz) == content
    unpacked = pyarrow.Codec("zstd").decompress(zst, len(content), asbytes=True)
    assert unpacked == content
    assert zst[:4] == b"\x28\xb5\x2f\xfd", "a frame that any zstd reads"
    assert (
        measure(content, PACKERS)
        == measure(content, PACKERS)
        == {
            "gzip": len(gz),
            "zstd": len(zst),
            "xz": len(xz),
        }
    )
    assert max(len(gz), len(zst), len(xz)) < len(content)


def test_the_slowest_tells_how_far_it_is(model_file: Path) -> None:
    content = 150 * model_file.read_bytes()
    seen: list[tuple[int, int]] = []
    packed = pack_xz(content, lambda done, total: seen.append((done, total)))
    assert lzma.decompress(packed) == content
    # All but the stream's header, which names the dictionary: in parts or whole, it is one stream.
    whole = lzma.compress(content, preset=9)
    assert len(packed) == len(whole)
    assert packed[24:-32] == whole[24:-32]
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[0] == (0, len(content))
    assert seen[-1] == (len(content), len(content))


def test_sizes_are_measured_once_and_anew_if_damaged(tmp_path: Path, model_file: Path) -> None:
    (tmp_path / "scratch").mkdir()
    cache = Cache(tmp_path, tmp_path / "scratch")
    cache.path("a" * 64).write_bytes(model_file.read_bytes())
    assert cache.find_packed_sizes("a" * 64) == {}
    seen: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        seen.append((done, total))

    usual = cache.packed_sizes("a" * 64, ["gzip"], report)
    assert usual == measure(model_file.read_bytes())
    assert list(usual) == ["gzip"]
    assert not seen, "nobody asked for xz"
    first = cache.packed_sizes("a" * 64, ["xz", "gzip", "zstd"], report)
    assert seen[-1][0] == seen[-1][1] == model_file.stat().st_size
    assert cache.find_packed_sizes("a" * 64) == first == measure(model_file.read_bytes(), PACKERS)
    assert cache.packed_sizes("a" * 64, ["gzip"]) == usual
    (kept,) = (tmp_path / "downloads").iterdir()
    for damage in ("", "[]", '{"gzip": "1"}', '{"zstd": null}'):
        kept.write_text(damage)
        assert cache.packed_sizes("a" * 64, PACKERS) == first
