from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.compress.samples import Samples
from harness.errors import BadInputError
from harness.models.datasets import load_dataset


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
