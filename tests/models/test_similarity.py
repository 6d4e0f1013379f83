"""The measure that parity, checks and reports share."""

import numpy as np
import pytest
from mobilebench.models.array import Array
from mobilebench.models.similarity import Tally, are_probabilities, compare, signal_to_noise

DRAWS = np.random.default_rng(3)


def test_a_constant_that_all_share_is_no_signal() -> None:
    """Two outputs that are 100 ± 1 and 100 ± 0 look alike, to 40 dB, before the mean is gone."""
    varied = 100 + DRAWS.normal(size=(32, 4))
    assert signal_to_noise(varied, np.full_like(varied, varied.mean())) == pytest.approx(0)
    assert signal_to_noise(varied, varied + 0.1 * DRAWS.normal(size=(32, 4))) == pytest.approx(
        20, abs=2
    )


def test_equal_answers_have_no_noise_and_constants_no_signal() -> None:
    output = DRAWS.normal(size=(8, 3))
    assert signal_to_noise(output, output) == 150
    constant = np.full((8, 3), 5.0)
    assert signal_to_noise(constant, constant + 1e-7) == 150
    assert signal_to_noise(constant, constant + 1e-3) == -150
    assert signal_to_noise(output, output * np.float64(1e300)) == -150


def test_the_largest_error_and_its_sample_are_found() -> None:
    reference = np.zeros((5, 2, 2), np.float32)
    reference[0, 0, 0] = 4
    found = reference.copy()
    found[3, 1, 1] = -1
    alike = compare(reference, found)
    assert (alike.largest_error, alike.worst_sample, alike.agreement) == (0.25, 3, None)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_classes_are_compared_where_there_are_any(kind: type) -> None:
    logits = DRAWS.normal(size=(40, 10))
    shares = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(kind)
    other = shares.copy()
    other[:10] = other[:10, ::-1]
    assert compare(shares, other).agreement == pytest.approx(0.75)
    assert compare(logits, -logits).agreement is None
    assert compare(logits, -logits, classes=True).agreement == 0
    numbers = shares.argmax(axis=1)
    assert compare(numbers, other.argmax(axis=1)).agreement == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("values", "are"),
    [
        (np.eye(3), True),
        (np.round(DRAWS.dirichlet(np.ones(50), 4) * 256) / 256, True),  # as 8 bits round them
        (np.ones((4, 3)), False),
        (np.array([[1.5, -0.5]]), False),
        (np.zeros((0, 3)), False),
    ],
)
def test_probabilities_add_up_but_for_rounding(values: Array, are: bool) -> None:
    assert are_probabilities(values) is are


def test_other_shapes_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        compare(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.parametrize(("changed", "snr_db"), [(0, 150.0), (1, 20.0), (10, 10.0), (100, 0.0)])
@pytest.mark.parametrize("by", [100, 900])
def test_class_numbers_are_equal_or_not(changed: int, snr_db: float, by: int) -> None:
    """How far a wrong class's number is from the right one's means nothing."""
    reference = np.arange(100)
    found = reference.copy()
    found[:changed] += by
    alike = compare(reference, found)
    assert alike.snr_db == pytest.approx(snr_db, abs=0.1)
    assert alike.unequal == changed


def test_class_numbers_that_are_equal_by_chance_are_not_alike() -> None:
    mask = np.zeros((4, 1000), np.int32)
    mask[:, :10] = 1
    assert compare(mask, np.zeros_like(mask)).snr_db == pytest.approx(0)


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8])
def test_a_tally_of_batches_is_the_comparison_of_all(kind: type) -> None:
    reference = (100 * DRAWS.random((40, 3, 5))).astype(kind)
    found = reference + (DRAWS.random((40, 3, 5)) < 0.3).astype(kind)
    tally = Tally()
    for start in (0, 7, 20):
        end = {0: 7, 7: 20, 20: 40}[start]
        tally.add(reference[start:end], found[start:end])
    whole, parts = compare(reference, found), tally.similarity()
    assert parts.snr_db == pytest.approx(whole.snr_db)
    assert parts.agreement == whole.agreement
    assert (parts.worst_sample, parts.error) == (whole.worst_sample, whole.error)


def test_pixels_are_near_or_far() -> None:
    reference = np.arange(200, dtype=np.uint8).reshape(2, 100)
    assert compare(reference, reference + np.uint8(1)).snr_db > 30
