from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.checks.samples import Samples
from mobilebench.compress.pipeline.build_inputs import BuildInputs
from mobilebench.errors import BadInputError
from mobilebench.models.datasets import load_dataset
from mobilebench.models.spec import ModelSpec
from mobilebench.tflite import interface

from tests.support.models import MODELS


def samples_of(source: str, *, given: bool = True) -> Samples:
    return Samples(load_dataset(source), given=given, levels=False, model="m.tflite", seed=0)


def test_the_only_input_needs_no_name(model_file: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "named.npz", **{"x_calibration/image": images})
    np.savez(tmp_path / "plain.npz", x_calibration=images)
    named, plain = (
        samples_of(str(tmp_path / name)).to_calibrate(model_file.read_bytes(), 4)
        for name in ("named.npz", "plain.npz")
    )
    np.testing.assert_array_equal(named, plain)
    assert len(named) == 4


def test_two_inputs_are_too_many(model_file: Path, tmp_path: Path) -> None:
    both = {"x_calibration/a": np.zeros((2, 8, 8, 1)), "x_calibration/b": np.zeros((2, 3))}
    np.savez(tmp_path / "both.npz", **both)
    with pytest.raises(BadInputError, match="the model's inputs are "):
        samples_of(str(tmp_path / "both.npz")).to_check(model_file.read_bytes())


def test_noise_is_seeded(model_file: Path) -> None:
    content = model_file.read_bytes()
    once, again = (samples_of("random").to_calibrate(content, 5) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert samples_of("random", given=False).are_noise
    assert np.abs(once).max() <= 1


# Integers in the data.

INT8_INPUT = MODELS / "small_int8_input.tflite"  # takes real numbers from 0 to 1


def evaluated(tmp_path: Path, x: Any, source: Path, data_for: Path | None = None) -> Any:
    """The evaluation samples as a file takes them."""
    np.savez(tmp_path / "data.npz", x_test=x, y_test=np.arange(len(x)) % 10)
    spec = ModelSpec(
        name="m",
        source=str(source),
        data=str(tmp_path / "data.npz"),
        data_for=None if data_for is None else str(data_for),
    )
    samples = BuildInputs.gather(spec, 0).samples
    content = source.read_bytes()
    checked = samples.to_check(content)
    (taken,) = interface.read(content, "m").inputs
    data = samples.fitted((8, 8, 1), 10, taken)
    assert data.evaluation is not None
    np.testing.assert_array_equal(np.stack(checked), data.evaluation[0][: len(checked)])
    return data.evaluation[0]


@pytest.mark.parametrize("kind", ["int8", "int16", "int64", "uint8"])
def test_an_integer_model_s_own_integers_stay_as_they_are(tmp_path: Path, kind: str) -> None:
    x = np.random.default_rng(0).integers(0, 127, (20, 8, 8, 1)).astype(kind)
    found = evaluated(tmp_path, x, INT8_INPUT)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, x)


def test_real_numbers_stay_real_for_an_integer_model(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((20, 8, 8, 1))
    assert evaluated(tmp_path, x, INT8_INPUT).dtype == np.float32


def test_integers_beyond_the_input_s_range(tmp_path: Path) -> None:
    x = np.full((20, 8, 8, 1), 200, np.uint8)
    with pytest.raises(BadInputError, match=r"from 200 to 200, .* takes int8, -128 to 127"):
        evaluated(tmp_path, x, INT8_INPUT)


def test_integers_are_real_numbers_for_a_model_of_real_numbers(
    tmp_path: Path, model_file: Path
) -> None:
    x = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 1)).astype(np.uint8)
    found = evaluated(tmp_path, x, model_file)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, x)


def test_a_ready_file_beside_a_model_of_real_numbers(tmp_path: Path, model_file: Path) -> None:
    # What the model takes as 0 and 1 must reach its quantized file as 0 and 1.
    dark = np.random.default_rng(0).integers(0, 2, (20, 8, 8, 1))
    assert evaluated(tmp_path, dark, INT8_INPUT, model_file).dtype == np.float32
    # Levels beyond what its input stands for can only be its own.
    levels = np.random.default_rng(0).integers(-128, 128, (20, 8, 8, 1))
    assert evaluated(tmp_path, levels, INT8_INPUT, model_file).dtype == np.int8
