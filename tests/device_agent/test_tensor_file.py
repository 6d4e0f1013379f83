"""The agent's own reader and writer of safetensors, beside the format's own library."""

import contextlib
import io
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench_agent.tensor_file import MAX_HEADER_BYTES, TYPES, Reader, TensorFileError, Writer
from safetensors.numpy import load, save


def values(dtype: Any, shape: tuple[int, ...]) -> Any:
    random = np.random.default_rng(3).integers(0, 2 if dtype.kind == "b" else 100, shape)
    return random.astype(dtype)


@pytest.mark.parametrize("dtype", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)])
def test_rows_are_what_the_library_wrote(dtype: Any, shape: tuple[int, ...]) -> None:
    tensors = {"0": values(dtype, (5, *shape)), "1": values(np.dtype("u1"), (5, 3))}
    reader = Reader(io.BytesIO(save(tensors)))
    assert reader.entries["0"].shape == (5, *shape)
    for name, tensor in tensors.items():
        for number in (4, 0, 2):
            row = reader.row(name, number)
            assert (row.dtype, row.shape) == (tensor.dtype, tensor.shape[1:])
            assert np.array_equal(row, tensor[number])


@pytest.mark.parametrize("dtype", TYPES.values(), ids=TYPES)
def test_the_library_reads_what_is_written(dtype: Any, tmp_path: Path) -> None:
    first, second = values(dtype, (4, 2, 3)), values(np.dtype("<f8"), (4,))
    descriptor = os.open(tmp_path / "t", os.O_RDWR | os.O_CREAT)
    writer = Writer(descriptor, {"0": (dtype, (2, 3)), "1": (np.dtype("<f8"), ())}, 4)
    for number in range(4):
        writer.write("0", number, first[number])
        writer.write("1", number, second[number])
    os.close(descriptor)
    read = load((tmp_path / "t").read_bytes())
    assert read["0"].dtype == first.dtype
    assert np.array_equal(read["0"], first)
    assert np.array_equal(read["1"], second)


def test_any_byte_but_zero_is_true() -> None:
    content = bytearray(save({"0": np.array([True, False, True])}))
    content[-1] = 7
    reader = Reader(io.BytesIO(bytes(content)))
    assert [reader.row("0", n).tobytes() for n in range(3)] == [b"\1", b"\0", b"\1"]


def file(header: object, size: int) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


def tensor(dtype: object = "F32", shape: object = (1, 2), offsets: object = (0, 8)) -> object:
    return {"0": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no header"),
        (b"1234567", "no header"),
        (struct.pack("<Q", 2**64 - 1), "cannot be 18446744073709551615 bytes long"),
        (struct.pack("<Q", 9) + b"{}", "cannot be 9 bytes long"),
        (file(b" " * (MAX_HEADER_BYTES + 1), 0), "cannot be 1048577 bytes long"),
        (file(b"{", 0), "cannot be read"),
        (file(b"\xff\xfe", 0), "cannot be read"),
        (file(b"[" * 100_000, 0), "cannot be read"),
        (file(b'{"0":1,"0":2}', 0), "a name comes twice"),
        (file([], 0), "no JSON object"),
        (file({"0": []}, 0), "not described by an object"),
        (file(tensor("BF16"), 8), "has type 'BF16', known are BOOL"),
        (file(tensor(["F32"]), 8), "has type"),
        (file(tensor(shape=[1, -2]), 8), "no shape"),
        (file(tensor(shape=[True, 2]), 8), "no shape"),
        (file(tensor(shape=[1, 2.0]), 8), "no shape"),
        (file(tensor(shape="12"), 8), "no shape"),
        (file(tensor(offsets=[0]), 8), "no place"),
        (file(tensor(offsets=[8, 0]), 8), "another length"),
        (file(tensor(shape=[2**40, 2**40]), 8), "another length"),
        (file(tensor(), 9), "take 8 bytes, and it has 9"),
        (file(tensor(), 7), "take 8 bytes, and it has 7"),
        (file(tensor(offsets=[8, 16]), 16), "overlap, or leave a gap"),
        (file({**tensor(), "1": tensor()["0"]}, 8), "overlap, or leave a gap"),  # type: ignore[dict-item]
    ],
)
def test_a_header_is_not_trusted(content: bytes, words: str) -> None:
    with pytest.raises(TensorFileError, match=words):
        Reader(io.BytesIO(content))


@given(st.binary(max_size=200) | st.builds(file, st.binary(max_size=100), st.integers(0, 100)))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    with contextlib.suppress(TensorFileError):
        assert Reader(io.BytesIO(content)).entries is not None
