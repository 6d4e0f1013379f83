"""Arrays from whatever the functions of a data file give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.models.gather import Use, gather
from mobilebench.models.inputs import ONLY

X = np.arange(48, dtype=np.float32).reshape(6, 2, 4)
Y = np.array([0, 1, 2, 0, 1, 2])
EVALUATION = Use("allowed", most=100)
TRAINING = Use("needed", most=100)


class Batches:
    """As tf.data and loaders of PyTorch give them: something to iterate over."""

    def __init__(self, size: int, *arrays: Any, kind: type = tuple) -> None:
        self._size, self._arrays, self._kind = size, arrays, kind

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(X), self._size):
            yield self._kind(a[start : start + self._size] for a in self._arrays)


class Sequence:
    """As Keras' PyDataset: it has a length, and does not say where it ends."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> Any:
        start = (4 * number) % len(X)
        return X[start : start + 4], Y[start : start + 4]


class Tensor:
    """As other libraries' tensors: it makes an array of itself, and its shape is no tuple."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)
        self.shape = list(self._values.shape)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._values


def batches_of_tensors() -> Iterator[Any]:
    for x, y in Batches(4, X, Y):
        yield Tensor(x), Tensor(y)


@pytest.mark.parametrize(
    "value",
    [
        batches_of_tensors(),
        (Tensor(X), Tensor(Y)),
        [Tensor(X), Tensor(Y)],
        (X, Y),
        [X, Y],
        (list(X), Y.tolist()),
        [list(X), Y.tolist()],
        list(zip(X, Y, strict=True)),
        [list(pair) for pair in zip(X, Y, strict=True)],
        zip(X, Y, strict=True),
        Batches(4, X, Y),
        Batches(4, X, Y, kind=list),
        Sequence(),
    ],
)
def test_samples_and_labels(value: Any) -> None:
    given = gather(value, "f()", EVALUATION)
    np.testing.assert_array_equal(given.inputs[ONLY], X)
    np.testing.assert_array_equal(given.labels, Y)
    assert given.notes == ()


@pytest.mark.parametrize(
    "value",
    [
        (X, Y, np.ones(6)),
        [X, Y, np.ones(6)],
        [(x, y, 1.0) for x, y in zip(X, Y, strict=True)],
        Batches(4, X, Y, np.ones(6)),
    ],
)
def test_sample_weights_are_noted(value: Any) -> None:
    given = gather(value, "f()", EVALUATION)
    np.testing.assert_array_equal(given.inputs[ONLY], X)
    np.testing.assert_array_equal(given.labels, Y)
    assert given.notes == ("f() has sample weights, which are not used",)
    to_train = gather(value, "f()", TRAINING)
    np.testing.assert_array_equal(to_train.weights, np.ones(6))
    assert to_train.notes == ()


@pytest.mark.parametrize("value", [X, list(X), (X, None), iter(X), [(x, None) for x in X]])
def test_samples_alone(value: Any) -> None:
    given = gather(value, "f()", EVALUATION)
    np.testing.assert_array_equal(given.inputs[ONLY], X)
    assert given.labels is None


NAMED = {"image": X, "length": Y}


@pytest.mark.parametrize(
    "value",
    [
        (NAMED, Y),
        [NAMED, Y],
        [({"image": x, "length": y}, y) for x, y in zip(X, Y, strict=True)],
        [({"image": X[:4], "length": Y[:4]}, Y[:4]), ({"image": X[4:], "length": Y[4:]}, Y[4:])],
    ],
)
def test_samples_by_input_and_labels(value: Any) -> None:
    given = gather(value, "f()", EVALUATION)
    np.testing.assert_array_equal(given.inputs["image"], X)
    np.testing.assert_array_equal(given.inputs["length"], Y)
    np.testing.assert_array_equal(given.labels, Y)


@pytest.mark.parametrize("count", [2, 3])
def test_a_few_samples_by_input_are_no_labels(count: int) -> None:
    few = [{"image": x, "length": y} for x, y in zip(X[:count], Y[:count], strict=True)]
    given = gather(few, "f()", EVALUATION)
    assert given.inputs["image"].shape == (count, 2, 4)
    assert given.labels is None


def test_three_pairs_are_not_samples_labels_and_weights() -> None:
    given = gather(tuple(zip(X[:3], Y[:3], strict=True)), "f()", EVALUATION)
    assert given.inputs[ONLY].shape == (3, 2, 4)
    assert given.labels.tolist() == [0, 1, 2]


def test_shorter_last_batches_of_samples_alone() -> None:
    given = gather([X[:4], X[4:]], "f()", Use("none", most=10))
    np.testing.assert_array_equal(given.inputs[ONLY], X)


def test_lists_of_boxes_are_padded() -> None:
    boxes = [np.ones((count, 5), np.float32) for count in (2, 0, 3)]
    given = gather((X[:3], boxes), "f()", EVALUATION)
    assert given.labels.shape == (3, 3, 5)
    assert (given.labels[..., 0] == 1).sum(axis=1).tolist() == [2, 0, 3]
    assert (given.labels[1] == -1).all()
    pairs = gather(list(zip(X[:3], boxes, strict=True)), "f()", EVALUATION)
    np.testing.assert_array_equal(pairs.labels, given.labels)


def test_labels_of_texts() -> None:
    given = gather((X, ["a", "bc", "", "d", "e", "f"]), "f()", EVALUATION)
    assert given.labels.tolist() == ["a", "bc", "", "d", "e", "f"]


def test_what_has_no_end_is_taken_as_far_as_needed() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield from zip(X, Y, strict=True)

    given = gather(endless(), "f()", EVALUATION)
    assert len(given.inputs[ONLY]) == len(given.labels) == 100
    (note,) = given.notes
    assert note == "the first 100 items of f() were taken: it has no length, and perhaps no end"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (3.0j, "array or an iterable"),
        ([], "at least one sample"),
        ([[1], [1, 2]], "samples of one shape"),
        ((X, [[1, 2], [3]] * 3), None),  # as many numbers as a sample happens to have
        ((X[:2], [np.zeros((2, 3)), np.zeros((2, 4))]), "labels of one shape"),
        ([({"a": 1}, 0), ({"b": 1}, 0)], "every sample the same inputs"),
        ([({"a": 1}, 0), (1, 0)], "every sample the same inputs"),
    ],
)
def test_what_makes_no_arrays(value: Any, sentence: str | None) -> None:
    if sentence is None:
        assert gather(value, "f()", EVALUATION).labels.shape == (6, 2)
        return
    with pytest.raises(BadInputError, match=sentence):
        gather(value, "f()", EVALUATION)


@pytest.mark.parametrize("value", [X, (X, None), list(X)])
def test_training_needs_labels(value: Any) -> None:
    with pytest.raises(BadInputError, match="must return samples and labels"):
        gather(value, "f()", Use("needed", most=10))
