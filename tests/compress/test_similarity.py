"""What a compressed model's answers are judged by."""

from __future__ import annotations

import numpy as np
import pytest
from mobilebench.compress.similarity import compare

RANDOM = np.random.default_rng(0)
BOXES = RANDOM.normal(0, 1, (32, 4))
SHARES = np.eye(10)[RANDOM.integers(0, 10, 32)] * 0.8 + 0.02


def test_a_constant_does_not_make_answers_alike() -> None:
    """Of scores near -20 an error of 1 is 5 %, and yet all that there is to tell."""
    scores = -20 + BOXES
    found = compare(scores, -20 + RANDOM.normal(0, 1, (32, 4)), labelled=False)
    assert found.snr < 0
    assert found.is_broken


def test_outputs_that_moved_are_warned_of() -> None:
    poor = compare(BOXES, BOXES + RANDOM.normal(0, 0.25, BOXES.shape), labelled=False)
    assert not poor.is_broken
    for trained in (False, True):
        (warning,) = poor.moved(trained=trained)
        assert "outputs moved: an error of" in warning
        assert "of their spread (1" in warning
    good = compare(BOXES, BOXES + RANDOM.normal(0, 0.1, BOXES.shape), labelled=False)
    assert good.moved() == []


def test_a_classifier_keeps_its_classes() -> None:
    turned = SHARES.copy()
    turned[:5] = turned[:5, ::-1]
    found = compare(SHARES, turned, labelled=False)
    assert found.agreement is not None
    assert 0.8 < found.agreement < 0.9
    assert "keep their class" in found.moved()[-1]
    assert found.moved(trained=True) == []
    surer = SHARES**3 / (SHARES**3).sum(axis=1, keepdims=True)
    assert compare(SHARES, surer, labelled=False).moved(trained=True) == []


@pytest.mark.parametrize("labelled", [False, True])
def test_class_numbers_are_classes(labelled: bool) -> None:
    numbers = np.arange(32)[:, None] % 5
    other = numbers.copy()
    other[:8] += 1
    found = compare(numbers, other, labelled=labelled)
    assert found.agreement == 0.75


def test_masks_have_a_class_at_each_place() -> None:
    masks = np.eye(3)[RANDOM.integers(0, 3, (8, 6, 6))]
    other = masks.copy()
    other[:, :3] = np.roll(other[:, :3], 1, axis=-1)
    assert compare(masks, other, labelled=False).agreement == 0.5


def test_labels_say_that_rows_are_scores() -> None:
    logits = RANDOM.normal(0, 3, (32, 10))
    assert compare(logits, logits, labelled=False).agreement is None
    assert compare(logits, logits, labelled=True).agreement == 1
    one = RANDOM.normal(0, 3, (32, 1))
    assert compare(one, -one, labelled=True).agreement is None
