"""Ready files with evaluation data of any kind: what is made of them, without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.artifact import Artifact, EvaluationSet
from mobilebench.models.spec import ModelSpec
from safetensors import safe_open
from safetensors.numpy import load_file

from tests.support.compress import compress
from tests.support.models import MODELS

X = np.random.default_rng(0).random((12, 8, 8, 1)).astype(np.float32)
Y = np.arange(12) % 10


def made(folder: Path, source: str = "small.tflite", data: Any = None, **more: Any) -> Artifact:
    given = str(folder / "data.npz") if data is None else data
    spec = ModelSpec(name="m", source=str(MODELS / source), data=given, **more)
    (artifact,) = compress(spec, "as_is", cache=folder / "cache").artifacts
    return artifact


def evaluation_of(folder: Path, source: str = "small.tflite", **more: Any) -> EvaluationSet:
    found = made(folder, source, **more).evaluation
    assert found is not None
    return found


LABELS = {
    "class numbers": Y,
    "one-hot": np.eye(10, dtype=np.float32)[Y],
    "whole floats": Y.astype(np.float32),
    "a column": Y[:, None],
    "targets": Y / 3,
    "yes or no": np.random.default_rng(0).random((12, 10)) > 0.5,
    "masks": np.zeros((12, 8, 8), np.uint8),
    "big-endian": Y.astype(">f8"),
    "beyond the classes": Y + 100,
    "below 0": Y - 5,
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_go_with_the_samples(tmp_path: Path, kind: str) -> None:
    np.savez(tmp_path / "data.npz", x_test=X, y_test=LABELS[kind])
    found = evaluation_of(tmp_path)
    arrays = load_file(found.path)
    assert set(arrays) == {"0", "labels"}
    np.testing.assert_array_equal(arrays["0"], X)
    np.testing.assert_array_equal(arrays["labels"], LABELS[kind])
    assert (found.name, found.count, found.task, found.reason) == ("data.npz", 12, "", "")
    assert found.path.suffix == ".safetensors"


def test_texts_are_padded_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x_test=X[:3], y_test=np.array(["yes", "", "größer"]))
    found = evaluation_of(tmp_path, task="transcription")
    assert found.task == "transcription"
    with safe_open(found.path, "np") as file:
        assert file.metadata() == {"labels": "text"}
        rows = file.get_tensor("labels")
    assert rows.shape == (3, 8)
    assert rows.dtype == np.uint8
    assert [bytes(row).rstrip(b"\0").decode() for row in rows] == ["yes", "", "größer"]


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (None, "data data.npz have no labels"),
        (np.full(12, np.nan), "the labels have NaN or infinite values"),
    ],
)
def test_without_labels_there_is_a_reason(tmp_path: Path, y: Any, reason: str) -> None:
    np.savez(tmp_path / "data.npz", x_test=X, **({} if y is None else {"y_test": y}))
    found = evaluation_of(tmp_path)
    assert found.reason == reason
    assert set(load_file(found.path)) == {"0"}


def test_integers_stay_integers_for_an_integer_input(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(-128, 128, X.shape)
    np.savez(tmp_path / "data.npz", x_test=whole)
    arrays = load_file(evaluation_of(tmp_path, "small_int8_input.tflite").path)
    assert arrays["0"].dtype == np.int8
    np.testing.assert_array_equal(arrays["0"], whole)


def test_other_labels_make_another_file_of_the_same_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x_test=X, y_test=Y)
    first = made(tmp_path)
    np.savez(tmp_path / "data.npz", x_test=X, y_test=Y[::-1])
    second = made(tmp_path)
    assert first.evaluation is not None
    assert second.evaluation is not None
    assert first.evaluation.sha256 != second.evaluation.sha256
    assert first.provenance["key"] == second.provenance["key"]


def test_a_file_of_pairs_in_batches_with_weights(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(
        "import numpy as np\n"
        "x, y = np.random.default_rng(0).random((10, 8, 8, 1)), np.arange(10)\n"
        "def get_evaluation_data():\n"
        "    for i in range(0, 10, 4):\n"
        "        yield x[i:i + 4], y[i:i + 4], np.ones(4)\n"
        "def evaluate(outputs, labels): return labels\n"
    )
    artifact = made(tmp_path, data=str(tmp_path / "data.py"))
    assert artifact.evaluation is not None
    assert (artifact.evaluation.count, artifact.evaluation.task) == (10, "own")
    assert load_file(artifact.evaluation.path)["labels"].tolist() == list(range(10))
    (warning,) = artifact.warnings
    assert warning == "data.py: get_evaluation_data() has sample weights, which are not used"


def test_samples_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x_test=X[:, :4])
    spec = ModelSpec(name="m", source=str(MODELS / "small.tflite"), data=str(tmp_path / "data.npz"))
    outcome = compress(spec, "as_is", cache=tmp_path / "cache")
    assert not outcome.artifacts
    assert "x_test has samples of shape (4, 8, 1), and the" in outcome.failures[0].reason


def test_a_ready_file_whose_check_fails_is_measured(tmp_path: Path) -> None:
    artifact = made(tmp_path, "not_a_number.tflite", data="random")
    (warning,) = artifact.warnings
    assert warning == "its check failed: the model answers with NaN or infinity on 32 of 32"


@pytest.mark.parametrize("task", ["classificaton", "Segmentation", "ocr"])
def test_unknown_tasks_are_refused(task: str) -> None:
    with pytest.raises(ValueError, match=r"is no task: .*it must be classification, binary"):
        ModelSpec(name="m", source="m.tflite", task=task)
