"""Class numbers, and what is said of labels that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.models.labels import class_numbers

ONE_HOT = np.eye(4)[[0, 2, 1, 3, 3]]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "int64"])
def test_class_numbers_of_any_integer_type(kind: str) -> None:
    for y in (np.arange(5, dtype=kind), np.arange(5, dtype=kind)[:, None]):
        found = class_numbers(y, "y")
        assert found.dtype == np.int64
        assert found.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["bool", "uint8", "int64", "float32"])
def test_the_largest_is_advised_only_where_each_row_has_one_1(kind: str) -> None:
    y = ONE_HOT.astype(kind)
    with pytest.raises(BadInputError, match=r"exactly one 1, so give y\.argmax\(axis=1\)"):
        class_numbers(y, "y")
    assert y.argmax(axis=1).tolist() == [0, 2, 1, 3, 3]


def changed(row: list[float]) -> Any:
    y = ONE_HOT.copy()
    y[1] = row
    return y


@pytest.mark.parametrize(
    ("y", "described"),
    [
        (changed([1, 0, 1, 0]), "4 yes-or-no labels a sample"),
        (changed([0, 0, 0, 0]), "4 yes-or-no labels a sample"),
        (changed([1, 1, 0, 0]).astype(bool), "4 yes-or-no labels a sample"),
        (changed([0, 0, 0.9, 0.1]), "4 real numbers a sample"),
        (changed([0, 0, 1, np.nan]), "4 real numbers a sample"),
        (changed([0, 0, 2, 0]).astype(int), "4 whole numbers a sample"),
        (changed([0, -1, 1, 0]), "4 whole numbers a sample"),
        (np.random.default_rng(0).random((5, 3)), "3 real numbers a sample"),
        (np.zeros((5, 8, 8), int), "8 x 8 whole numbers a sample"),
        (np.full(5, 0.5), "targets of a regression"),
        (np.full((5, 1), 0.5), "targets of a regression"),
    ],
)
def test_other_labels_are_described(y: Any, described: str) -> None:
    with pytest.raises(BadInputError) as caught:
        class_numbers(y, "data.npz: y_train")
    said = str(caught.value)
    assert described in said
    assert "training needs one class number a sample" in said
    assert "argmax" not in said
    assert f"not {y.dtype} of shape {y.shape}" in said


@pytest.mark.parametrize("y", [np.array([0.0, 1.0, 2.0]), np.array([True, False])])
def test_whole_numbers_of_another_type(y: Any) -> None:
    with pytest.raises(BadInputError, match=r"give y\.astype\(int\)"):
        class_numbers(y, "y")


def test_names_of_classes() -> None:
    with pytest.raises(BadInputError, match="number the classes from 0"):
        class_numbers(np.array(["cat", "dog"]), "y")
