"""Seeded samples for models without data."""

from __future__ import annotations

import numpy as np
import pytest
from mobilebench.errors import UnsupportedModelError
from mobilebench.records.interface import Interface, Quantization, TensorInfo
from mobilebench.tflite import interface
from mobilebench.tflite.interpreter import Runner
from mobilebench.tflite.noise import noise

from tests.support.models import MODELS


def taking(*inputs: TensorInfo) -> Interface:
    return Interface(inputs, ())


IMAGE = TensorInfo("image", (1, 8, 8, 3), "float32")
LEVELS = TensorInfo("image", (1, 8, 8, 3), "int8", Quantization(1.0, 0))


def test_real_numbers_are_between_0_and_1() -> None:
    made = noise([taking(IMAGE)], 32, 0)["0"]
    assert made.shape == (32, 8, 8, 3)
    assert made.dtype == np.float32
    assert 0 <= made.min() < 0.01
    assert 0.99 < made.max() < 1


def test_a_quantized_input_is_filled_over_its_range() -> None:
    made = noise([taking(LEVELS)], 32, 0)["0"]
    assert np.unique(np.rint(made)).tolist() == list(range(-128, 128))


def test_variants_get_the_same_samples_over_the_quantized_one_s_range() -> None:
    float_first = noise([taking(IMAGE), taking(LEVELS)], 32, 0)
    int8_first = noise([taking(LEVELS), taking(IMAGE)], 32, 0)
    np.testing.assert_array_equal(float_first["0"], int8_first["0"])
    assert float_first["0"].min() < -120


def test_inputs_of_variants_are_matched_by_name() -> None:
    other = TensorInfo("scale", (1, 1), "float32")
    made = noise([taking(other, IMAGE), taking(LEVELS, other)], 32, 0)
    assert made["0"].max() < 1
    assert made["1"].min() < -120


@pytest.mark.parametrize(
    ("kind", "least", "most"), [("uint8", 0, 255), ("int16", -32768, 32767), ("int32", 0, 99)]
)
def test_whole_numbers(kind: str, least: int, most: int) -> None:
    made = noise([taking(TensorInfo("x", (1, 500), kind))], 32, 0)["0"]
    assert made.dtype == np.dtype(kind)
    assert least <= made.min() < made.max() <= most
    assert int(made.max()) - int(made.min()) > 0.98 * (most - least)
    within = noise([taking(TensorInfo("x", (1, 500), kind))], 32, 0, {0: 7})["0"]
    assert np.unique(within).tolist() == list(range(7))


def test_truth_values_and_small_and_open_shapes() -> None:
    made = noise(
        [taking(TensorInfo("flag", (1,), "bool"), TensorInfo("x", (None, 4), "float16"))], 5, 0
    )
    assert made["0"].dtype == np.bool_
    assert made["0"].shape == (5, 1)
    assert made["1"].shape == (5, 4)


def test_the_seed_decides() -> None:
    once, again, other = (noise([taking(IMAGE)], 4, seed)["0"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


@pytest.mark.parametrize("kind", ["string", "complex64"])
def test_no_noise_for_other_types(kind: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"input 'x' of type {kind}"):
        noise([taking(TensorInfo("x", (1, 4), kind))], 4, 0)


def test_a_file_is_checked_on_what_its_input_can_hold() -> None:
    content = (MODELS / "small_int8_input.tflite").read_bytes()
    runner = Runner(content)
    taken = np.stack([runner.feed(sample)[0] for sample in runner.noise(32, 0)])
    assert (taken.min(), taken.max()) == (-128, 127)
    whole = noise([interface.read(content, "m")], 32, 0)
    np.testing.assert_array_equal(whole["0"], np.stack(runner.noise(32, 0)))
