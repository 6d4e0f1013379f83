"""What a file takes and gives, and whether another can stand in its place."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench.errors import BadInputError
from mobilebench.records.interface import (
    Interface,
    Quantization,
    TensorInfo,
    conversions,
    differences,
)
from mobilebench.tflite import entry, interface

from tests.support.models import MODELS
from tests.support.tflite_files import with_input

IMAGE = TensorInfo("image", (1, 8, 8, 3), "float32")
SCORES = TensorInfo("scores", (1, 10), "float32")
BOXES = TensorInfo("boxes", (1, 20, 4), "float32")
TOKENS = TensorInfo("tokens", (1, 16), "int64")
INT8 = Quantization(0.5, 3)


def test_a_real_file() -> None:
    read = interface.read((MODELS / "small_int8_input.tflite").read_bytes(), "m")
    (taken,), (given,) = read.inputs, read.outputs
    assert (taken.name, taken.shape, taken.dtype) == ("args_0", (1, 8, 8, 1), "int8")
    assert taken.quantization is not None
    assert taken.quantization.zero_point == -128
    assert taken.quantization.scale == pytest.approx(1 / 255, rel=1e-2)
    assert (given.shape, given.dtype, given.quantization) == ((1, 10), "float32", None)


def test_no_runtime_and_no_tensorflow_are_loaded() -> None:
    code = (
        "import sys; from mobilebench.tflite import interface\n"
        f"interface.read(open({str(MODELS / 'small.tflite')!r}, 'rb').read(), 'm')\n"
        "print([m for m in sys.modules if m.endswith(('tensorflow', '.interpreter'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_torn_files() -> None:
    content = (MODELS / "small.tflite").read_bytes()
    with pytest.raises(BadInputError, match=r"m is no \.tflite file"):
        interface.read(b"text", "m")
    generator = random.Random(3)
    for _ in range(300):
        broken = bytearray(content[: generator.randrange(8, len(content))])
        for _ in range(20):
            broken[generator.randrange(8, len(broken))] = generator.randrange(256)
        try:
            interface.read(bytes(broken), "m")
        except BadInputError as error:
            assert "m is torn" in str(error)  # noqa: PT017 (not every file is refused)


@pytest.mark.parametrize(
    ("shapes", "refused"),
    [
        ([(1, 8, 8, 3)], None),
        ([(None, 8, 8, 3)], None),
        ([(1, None, None, 3)], "[1, ?, ?, 3]"),
        ([(None, None, 8, 3)], "[?, ?, 8, 3]"),
        ([(None,)], "[?]"),
        ([(None, 4), (None,)], None),
        ([(None, 4), (None, None)], "[?, ?]"),
        ([()], None),
    ],
)
def test_open_shapes(shapes: list[tuple[int | None, ...]], refused: str | None) -> None:
    inputs = tuple(TensorInfo(f"x{i}", shape, "float32") for i, shape in enumerate(shapes))
    found = Interface(inputs, (SCORES,))
    if refused is None:
        entry.require_fixed(found, "m.tflite")
        return
    with pytest.raises(BadInputError) as caught:
        entry.require_fixed(found, "m.tflite")
    assert f"has an open shape {refused}; give one" in str(caught.value)


@pytest.mark.parametrize("shape", [[1, -1, -1, 1], [-1, 8, 8, 1], [2, 8, 8, 1]])
def test_shapes_are_read_as_the_file_has_them(model_file: Path, shape: list[int]) -> None:
    read = interface.read(with_input(model_file.read_bytes(), shape), "m")
    assert read.inputs[0].shape == tuple(None if n < 0 else n for n in shape)


def shaped(tensor: TensorInfo, *shape: int | None) -> TensorInfo:
    return replace(tensor, shape=shape)


QUANTIZED = replace(IMAGE, dtype="int8", quantization=INT8)


@pytest.mark.parametrize(
    ("baseline", "candidate", "found"),
    [
        (([IMAGE], [SCORES]), ([IMAGE], [SCORES]), []),
        (([IMAGE], [SCORES]), ([replace(IMAGE, name="x")], [replace(SCORES, name="y")]), []),
        (([IMAGE], [SCORES]), ([QUANTIZED], [replace(SCORES, dtype="uint8", quantization=INT8)]),
         []),
        (([shaped(IMAGE, None, 8, 8, 3)], [SCORES]), ([IMAGE], [SCORES]), []),
        (([IMAGE], [SCORES, BOXES]), ([IMAGE], [BOXES, SCORES]), []),
        (([IMAGE], [shaped(BOXES, 1, None, 4)]), ([IMAGE], [BOXES]), []),
        (
            ([IMAGE], [SCORES]),
            ([shaped(IMAGE, 1, 16, 16, 3)], [SCORES]),
            ["input 'image' is [1, 8, 8, 3] in the baseline and [1, 16, 16, 3] in the candidate"],
        ),
        (
            ([IMAGE], [SCORES]),
            ([shaped(IMAGE, 4, 8, 8, 3)], [shaped(SCORES, 4, 10)]),
            [
                (
                    "input 'image' is [1, 8, 8, 3] in the baseline and [4, 8, 8, 3] in the "
                    "candidate, another batch"
                ),
                "output 'scores' is [1, 10] in the baseline and [4, 10] in the candidate",
            ],
        ),
        (
            ([IMAGE], [SCORES]),
            ([shaped(IMAGE, 1, 192)], [SCORES]),
            ["input 'image' is [1, 8, 8, 3] in the baseline and [1, 192] in the candidate"],
        ),
        (
            ([IMAGE], [SCORES]),
            ([IMAGE, TOKENS], [SCORES]),
            ["1 input in the baseline and 2 in the candidate"],
        ),
        (
            ([IMAGE], [SCORES, BOXES]),
            ([IMAGE], [SCORES]),
            ["2 outputs in the baseline and 1 in the candidate"],
        ),
        (
            ([TOKENS], [SCORES]),
            ([replace(TOKENS, dtype="int32")], [SCORES]),
            ["input 'tokens' is int64 in the baseline and int32 in the candidate"],
        ),
        (
            ([IMAGE], [SCORES]),
            ([replace(IMAGE, dtype="int8")], [SCORES]),
            ["input 'image' is float32 in the baseline and int8 in the candidate"],
        ),
        (
            ([IMAGE], [shaped(BOXES, 1, None, 4)]),
            ([IMAGE], [shaped(BOXES, 1, 20, 5)]),
            ["output 'boxes' is [1, ?, 4] in the baseline and [1, 20, 5] in the candidate"],
        ),
    ],
)  # fmt: skip
def test_differences(
    baseline: tuple[list[TensorInfo], list[TensorInfo]],
    candidate: tuple[list[TensorInfo], list[TensorInfo]],
    found: list[str],
) -> None:
    one, other = (Interface(tuple(x), tuple(y)) for x, y in (baseline, candidate))
    assert differences(one, other) == found


def test_conversions_are_reported() -> None:
    real, quantized = Interface((IMAGE,), (SCORES,)), Interface((QUANTIZED,), (SCORES,))
    said = ["input 'image' is float32 in the baseline and int8 in the candidate"]
    assert conversions(real, quantized) == said
    assert conversions(real, real) == []
    other_scale = replace(QUANTIZED, quantization=Quantization(0.25, 0))
    assert conversions(quantized, Interface((other_scale,), (SCORES,))) == []
