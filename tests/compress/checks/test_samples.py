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

from tests.support.models import MODELS


def samples_of(source: str, *, given: bool = True, task: str = "") -> Samples:
    return Samples(
        load_dataset(source), given=given, levels=False, model="m.tflite", seed=0, task=task
    )


def numbered(count: int, first: int = 0) -> Any:
    """Samples that say who they are."""
    return np.arange(first, first + count, dtype=np.float32)[:, None, None, None] * np.ones(
        (8, 8, 1), np.float32
    )


def numbers(samples: Any) -> set[int]:
    return {int(sample.flat[0]) for sample in samples}


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


# Who calibrates, and who is checked.


@pytest.mark.parametrize("count", [20, 60, 200, 2000])
@pytest.mark.parametrize("evaluation", [False, True])
def test_no_sample_both_calibrates_and_checks(
    model_file: Path, tmp_path: Path, count: int, evaluation: bool
) -> None:
    test = {"x_test": numbered(50, 10_000), "y_test": np.zeros(50, int)} if evaluation else {}
    np.savez(tmp_path / "data.npz", x_calibration=numbered(count), **test)
    samples, content = samples_of(str(tmp_path / "data.npz")), model_file.read_bytes()
    calibrated, checked = samples.to_calibrate(content, count), samples.to_check(content)
    assert not numbers(calibrated) & numbers(checked)
    assert len(checked) == (32 if evaluation or count >= 128 else count // 4)
    if evaluation and count < 512:
        assert min(numbers(checked)) >= 10_000
        assert len(calibrated) == count
    else:
        assert len(calibrated) == count - len(checked)
        assert max(numbers(checked)) < 10_000


def test_noise_calibrates_and_checks_with_other_samples(model_file: Path) -> None:
    samples, content = samples_of("random"), model_file.read_bytes()
    calibrated, checked = samples.to_calibrate(content, 64), samples.to_check(content)
    assert len(checked) == 32
    assert not {x.tobytes() for x in calibrated} & {x.tobytes() for x in checked}  # type: ignore[union-attr]


def test_labels_are_no_matter_of_what_is_made(tmp_path: Path) -> None:
    digests = []
    for name, y in (("a", np.zeros(50, int)), ("b", np.ones(50, int))):
        path = tmp_path / f"{name}.npz"
        np.savez(path, x_calibration=numbered(20), x_test=numbered(50, 100), y_test=y)
        digests.append(samples_of(str(path)).digest)
    assert digests[0] == digests[1]
    np.savez(path, x_calibration=numbered(20), x_test=numbered(50, 200), y_test=y)
    assert samples_of(str(path)).digest != digests[0]  # checks are run on others


# Labels.


@pytest.mark.parametrize(
    "y",
    [
        np.random.default_rng(0).random(20),
        np.random.default_rng(0).integers(0, 2, (20, 10)).astype(np.float32),
        np.zeros((20, 4, 4), np.uint8),
        np.array(["word"] * 20),
        None,
    ],
)
def test_any_labels_are_fine_to_calibrate_and_to_check(
    model_file: Path, tmp_path: Path, y: Any
) -> None:
    labels = {} if y is None else {"y_test": y, "y_train": y, "x_train": numbered(20)}
    np.savez(tmp_path / "data.npz", x_calibration=numbered(20), x_test=numbered(20), **labels)
    samples, content = samples_of(str(tmp_path / "data.npz")), model_file.read_bytes()
    assert len(samples.to_calibrate(content, 8)) == 8
    assert len(samples.to_check(content)) == 20
    found = samples.evaluation(content)
    assert found is not None
    if y is None:
        assert found.labels is None
        assert found.reason == "data data.npz have no labels"
    else:
        np.testing.assert_array_equal(found.labels, y)
        assert found.reason == ""


def test_what_is_reconstructed_is_its_own_label(model_file: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x_test=numbered(20))
    found = samples_of(str(tmp_path / "data.npz"), task="reconstruction").evaluation(
        model_file.read_bytes()
    )
    assert found is not None
    assert found.reason == ""
    assert found.restores
    np.testing.assert_array_equal(found.inputs("data.npz")["0"], numbered(20))


def test_an_own_score_needs_its_function(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "data.py"
    code = "import numpy as np\ndef get_evaluation_data(): return np.zeros((4, 8, 8, 1))\n"
    path.write_text(code)
    with pytest.raises(BadInputError, match=r"needs a data file with evaluate\(outputs, labels\)"):
        samples_of(str(path), task="own").evaluation(model_file.read_bytes())
    path.write_text(code + "def evaluate(outputs, labels): return outputs[:, 0]\n")
    found = samples_of(str(path)).evaluation(model_file.read_bytes())
    assert found is not None
    assert (found.task, found.reason) == ("own", "")


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
    found = samples.evaluation(content)
    assert found is not None
    given = found.inputs("data.npz")["0"]
    np.testing.assert_array_equal(np.stack(checked), given)
    return given


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


def test_training_labels_of_a_classifier_show_what_a_step_loses(
    model_file: Path, tmp_path: Path
) -> None:
    content = model_file.read_bytes()
    x, y = numbered(200), np.arange(200) % 10
    np.savez(tmp_path / "train.npz", x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])
    found = samples_of(str(tmp_path / "train.npz")).labelled(content)
    assert found is not None
    chosen, labels = found
    assert len(chosen) == len(labels) == 128
    assert (labels < 10).all()
    np.savez(tmp_path / "test.npz", x_test=x, y_test=y)
    assert samples_of(str(tmp_path / "test.npz")).labelled(content) is None
    assert samples_of(str(tmp_path / "train.npz"), task="regression").labelled(content) is None
