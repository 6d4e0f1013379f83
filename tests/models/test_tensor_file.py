"""Files that are written a part at a time are those that the library writes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.models import tensor_file
from mobilebench.models.tensor_file import Streamed, write
from safetensors.numpy import save_file

KINDS = (
    "bool", "uint8", "int8", "int16", "uint16", "float16",
    "int32", "uint32", "float32", "float64", "int64", "uint64",
)  # fmt: skip


@pytest.mark.parametrize("size", [1, 64 << 20])
@pytest.mark.parametrize("metadata", [{}, {"labels": "text"}])
def test_the_bytes_are_those_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, metadata: dict[str, str]
) -> None:
    monkeypatch.setattr(tensor_file, "PART_BYTES", size)
    draws = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        f"{n}": draws.integers(0, 2, (3, n + 1)).astype(kind) for n, kind in enumerate(KINDS)
    }
    arrays["labels/höhe"] = np.arange(3)
    arrays["empty"] = np.zeros((0, 4), np.float32)
    save_file(arrays, tmp_path / "theirs", metadata or None)
    write(tmp_path / "ours", {name: Streamed.of(a) for name, a in arrays.items()}, metadata)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_parts_of_a_mapped_file_in_another_order_of_bytes(tmp_path: Path) -> None:
    array = np.arange(12, dtype=">f4").reshape(6, 2)
    np.save(tmp_path / "a.npy", array)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    write(tmp_path / "ours", {"0": Streamed.of(mapped[::2])}, {})
    save_file({"0": np.ascontiguousarray(array[::2], "<f4")}, tmp_path / "theirs")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_rows_that_are_not_there(tmp_path: Path) -> None:
    short = Streamed((3, 2), np.dtype("float32"), lambda: [np.zeros((2, 2), np.float32)])
    with pytest.raises(ValueError, match="other rows"):
        write(tmp_path / "x", {"0": short}, {})
    with pytest.raises(ValueError, match="type complex64"):
        write(tmp_path / "x", {"0": Streamed.of(np.zeros(2, np.complex64))}, {})
