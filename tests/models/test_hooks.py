"""The functions of a data file that treat samples and answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.models.datasets import load_dataset
from mobilebench.models.hooks import HookError, Hooks, read_hooks

DATA = """
import numpy as np
def get_training_data(): return np.ones((4, 3)), np.zeros(4, int)
def get_calibration_data(): return 2 * np.ones((5, 3))
def get_evaluation_data(): return 3 * np.ones((6, 3)), np.zeros(6)
"""


def written(folder: Path, code: str) -> str:
    (folder / "data.py").write_text(DATA + code)
    return str(folder / "data.py")


@pytest.mark.parametrize("source", [None, "random", "data.npz"])
def test_other_data_have_no_hooks(source: str | None) -> None:
    assert read_hooks(source) == Hooks(source or "")


def test_all_samples_are_prepared(tmp_path: Path) -> None:
    data = load_dataset(
        written(tmp_path, "def prepare(sample): return np.stack([sample, sample]) / 10\n")
    )
    for part, value, count in (
        (data.train, 0.1, 4),
        (data.calibration, 0.2, 5),
        (data.evaluation, 0.3, 6),
    ):
        assert part is not None
        np.testing.assert_allclose(part.x, np.full((count, 2, 3), value))
    assert data.train is not None
    assert data.train.y.tolist() == [0] * 4


def test_an_edited_prepare_makes_other_data(tmp_path: Path) -> None:
    digests = [
        load_dataset(written(tmp_path, f"def prepare(sample): return sample / {n}\n")).making_digest
        for n in (1, 1, 255)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_samples_become_those_of_several_inputs(tmp_path: Path) -> None:
    source = written(tmp_path, "def prepare(sample): return {'a': sample, 'b': sample[0]}\n")
    part = load_dataset(source).evaluation
    assert part is not None
    assert {name: x.shape for name, x in part.inputs.items()} == {"a": (6, 3), "b": (6,)}


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "def prepare(sample): return sample[9]\n",
            r"prepare\(\) failed on sample 0 of x_calib.*:",
        ),
        ("n = [0]\ndef prepare(s):\n    n[0] += 1\n    return s[: n[0]]\n", "in one shape"),
        ("def prepare(sample): return sample * np.nan\n", r"prepare\(\) on x_calibration has NaN"),
        ("prepare = 3\n", "prepare must be a function"),
        ("evaluate = 'f1'\n", "evaluate must be a function"),
        ("def evaluate(o, l): pass\nevaluate.direction = 'up'\n", "'higher' or 'lower'"),
        ("def evaluate(o, l): pass\nevaluate.margin = -1\n", "must be a number, 0 or more"),
        ("def evaluate(o, l): pass\nUNIT = 3\n", "must be a short text"),
    ],
)
def test_hooks_that_are_none(tmp_path: Path, code: str, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        load_dataset(written(tmp_path, code))


@pytest.mark.parametrize(
    "settings",
    [
        "evaluate.unit, evaluate.direction, evaluate.margin = 'mm', 'lower', 0.5\n",
        "UNIT, DIRECTION, MARGIN = 'mm', 'lower', 0.5\n",
    ],
)
def test_an_own_score(tmp_path: Path, settings: str) -> None:
    code = "def evaluate(outputs, labels): return abs(outputs - labels).mean(axis=1)\n"
    source = written(tmp_path, code + settings)
    hooks = read_hooks(source)
    assert (hooks.unit, hooks.direction, hooks.margin) == ("mm", "lower", 0.5)
    assert hooks.evaluate is not None
    assert hooks.evaluate(np.ones((6, 2)), np.zeros((6, 2))).tolist() == [1] * 6
    assert load_dataset(source).has_score
    assert read_hooks(written(tmp_path, code)).direction == "higher"


def test_hooks_can_import_their_neighbours_when_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "beside_the_data.py").write_text("FACTOR = 7\n")
    hooks = read_hooks(
        written(
            tmp_path,
            "def evaluate(outputs, labels):\n"
            "    from beside_the_data import FACTOR\n    return FACTOR * outputs\n",
        )
    )
    assert hooks.evaluate is not None
    assert hooks.evaluate(np.ones(2), None).tolist() == [7, 7]
    assert str(tmp_path) not in sys.path


def test_answers_are_decoded(tmp_path: Path) -> None:
    outputs = [np.ones((4, 2)), np.zeros((4, 3))]
    assert Hooks().decoded(outputs) == outputs
    hooks = read_hooks(written(tmp_path, "def decode(outputs): return 2 * outputs\n"))
    (decoded,) = hooks.decoded(outputs[:1])
    np.testing.assert_array_equal(decoded, 2 * outputs[0])
    hooks = read_hooks(written(tmp_path, "def decode(outputs): return outputs[::-1]\n"))
    assert [array.shape for array in hooks.decoded(outputs)] == [(4, 3), (4, 2)]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("def decode(outputs): return outputs[9]\n", r"decode\(\) failed with IndexError: "),
        ("def decode(outputs): return outputs[0]\n", "a row for each of the 4 samples"),
        ("def decode(outputs): return []\n", "a row for each of the 4 samples"),
    ],
)
def test_what_cannot_be_decoded(tmp_path: Path, code: str, sentence: str) -> None:
    hooks = read_hooks(written(tmp_path, code))
    with pytest.raises(HookError, match=sentence):
        hooks.decoded([np.ones((4, 2))])


def test_class_weights_are_numbers_or_none(tmp_path: Path) -> None:
    def weights(code: str) -> Mapping[int, float]:
        return read_hooks(written(tmp_path, f"class_weights = {code}\n")).class_weights

    assert weights("None") == {}
    assert weights("[1, 2.5]") == {0: 1.0, 1: 2.5}
    for wrong in ("5", "lambda: 1", "{0: 'much'}", "[1, None]", "{float('inf'): 1}"):
        with pytest.raises(BadInputError, match="class_weights must be a number for each class"):
            weights(wrong)


def test_an_interruption_of_a_slow_file_is_one(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        read_hooks(written(tmp_path, "raise KeyboardInterrupt\n"))
