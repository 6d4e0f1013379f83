"""Weight sharing: few values a layer, which training moves together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mobilebench.compress.step import State, StepContext
from mobilebench.compress.steps.cluster import Cluster, share
from mobilebench.compress.steps.fine_tune import FineTune
from mobilebench.compress.steps.prune import Prune
from mobilebench.errors import StepError
from mobilebench.models.kernels import prunable


def values(model: Any) -> list[int]:
    """How many values besides zero each kernel takes."""
    return [int(np.count_nonzero(np.unique(kernel.numpy()))) for kernel in prunable(model)]


def test_values_fall_on_the_nearest_of_few() -> None:
    weights = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    weights[::3] = 0
    shared = share(weights, 8)
    found = shared.values()
    assert len(np.unique(found[found != 0])) == 8
    assert ((found == 0) == (weights == 0)).all()
    distance = np.abs(weights[..., None] - shared.table)[weights != 0]
    chosen = np.abs(weights - found)[weights != 0]
    # k-means: no weight lies nearer to another value (zero is not for weights that are not).
    assert (chosen <= distance[:, 1:].min(axis=1) + 1e-6).all()


def test_more_values_never_fit_worse() -> None:
    weights = np.random.default_rng(1).normal(size=2000).astype(np.float32)
    errors = [float(np.square(weights - share(weights, k).values()).sum()) for k in (2, 8, 32, 128)]
    assert errors == sorted(errors, reverse=True)


def test_few_values_are_kept_exactly() -> None:
    weights = np.array([[0.5, -1.0, 0.0], [0.5, 2.0, -1.0]], dtype=np.float32)
    np.testing.assert_array_equal(share(weights, 4).values(), weights)
    np.testing.assert_array_equal(share(np.zeros((2, 2), np.float32), 4).values(), 0)


@pytest.mark.tensorflow
def test_shared_values_are_trained_together(state: State, context: StepContext) -> None:
    still = Cluster(clusters=8, epochs=0).train(state, context)
    moved = Cluster(clusters=8, epochs=2).train(state, context)
    assert values(still.model) == values(moved.model) == [8, 8]
    for old, new, codes in zip(
        prunable(still.model), prunable(moved.model), moved.codes or (), strict=True
    ):
        assert (old.numpy() != new.numpy()).any()
        for code in range(1, int(codes.max()) + 1):
            assert len(np.unique(new.numpy()[codes == code])) == 1


@pytest.mark.tensorflow
def test_zeros_of_pruning_stay_and_retraining_keeps_the_sharing(
    state: State, context: StepContext
) -> None:
    pruned = Prune(sparsity=0.8, epochs=1).train(state, context)
    shared = Cluster(clusters=6, epochs=1).train(pruned, context)
    tuned = FineTune(epochs=1).train(shared, context)
    for model in (shared.model, tuned.model):
        assert max(values(model)) <= 6
        for kernel, kept in zip(prunable(model), pruned.kept or (), strict=True):
            assert (kernel.numpy()[~kept] == 0).all()


@pytest.mark.tensorflow
def test_a_seed_gives_the_same_values(state: State, context: StepContext) -> None:
    first, second = (Cluster(clusters=8, epochs=1).train(state, context) for _ in range(2))
    for a, b in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.tensorflow
def test_sharing_twice_is_an_error(state: State, context: StepContext) -> None:
    once = Cluster(clusters=8, epochs=0).train(state, context)
    with pytest.raises(StepError, match="no layer has more than 16 values"):
        Cluster(epochs=0).train(once, context)
