"""A file that is read and written is the same model, wherever its constants lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.graph import parse
from mobilebench.tflite.interpreter import Runner

MODELS = Path(__file__).parents[1] / "fixtures" / "models"


def same(content: bytes) -> bytes:
    return content


def behind(content: bytes) -> bytes:
    """The same model with its constants behind the flatbuffer, as large files have them."""
    model = load(content)
    constants = {i: b.data.tobytes() for i, b in enumerate(model.buffers) if b.data is not None}
    places = dict.fromkeys(constants, len(content))
    for _ in range(2):  # the first time tells how long the flatbuffer is
        for index, place in places.items():
            buffer = model.buffers[index]
            buffer.data, buffer.offset, buffer.size = None, place, len(constants[index])
        head = dump(model)
        ends = np.cumsum([len(head), *map(len, constants.values())])
        places = dict(zip(constants, map(int, ends), strict=False))
    return head + b"".join(constants.values())


@pytest.mark.parametrize("placed", [same, behind])
def test_reading_and_writing_keep_the_model_and_align_its_constants(
    placed: Callable[[bytes], bytes],
) -> None:
    content = placed((MODELS / "small.tflite").read_bytes())
    again = dump(load(content))
    x = list(np.random.default_rng(0).random((3, 8, 8, 1)).astype(np.float32))
    np.testing.assert_array_equal(Runner(content).run(x), Runner(again).run(x))
    start = np.frombuffer(again, np.uint8).ctypes.data
    constants = [b.data for b in load(again).buffers if b.data is not None]
    assert all((data.ctypes.data - start) % 16 == 0 for data in constants if data.size >= 16)


def test_a_constant_behind_the_end_is_a_torn_file() -> None:
    content = behind((MODELS / "small.tflite").read_bytes())
    assert parse(content, "small").operators
    with pytest.raises(BadInputError, match="is torn"):
        parse(content[:-1], "small")
