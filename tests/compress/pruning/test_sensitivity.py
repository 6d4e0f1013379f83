from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.compress.pruning.importance import magnitude, taylor, zero_share
from mobilebench.compress.pruning.sensitivity import LEVELS, LayerCurve, Scan, held_out, scan
from mobilebench.compress.step import State, StepContext
from mobilebench.compress.steps.prune import Prune
from mobilebench.errors import StepError
from mobilebench.models.kernels import prunable


def curve(losses: list[float], weights: int = 100) -> LayerCurve:
    return LayerCurve("layer", weights, tuple(losses), tuple(0.5 for _ in losses))


_losses = st.lists(st.floats(0, 20), min_size=len(LEVELS), max_size=len(LEVELS))


@given(
    st.lists(st.tuples(_losses, st.integers(1, 10**6)), min_size=1, max_size=5),
    st.floats(0.01, 0.99),
)
@settings(max_examples=100, deadline=None)
def test_rates_meet_the_budget(layers: list[tuple[list[float], int]], budget: float) -> None:
    found = Scan(100, tuple(curve(losses, weights) for losses, weights in layers))
    rates = found.rates(budget)
    assert all(0 <= rate <= LEVELS[-1] for rate in rates)
    weights = np.array([weights for _, weights in layers])
    assert rates @ weights / weights.sum() == pytest.approx(budget, abs=1e-3)
    more = found.rates(min(0.99, budget + 0.1))
    assert all(b >= a - 1e-6 for a, b in zip(rates, more, strict=True))


def test_a_fragile_layer_is_spared() -> None:
    rising = [4 * level for level in LEVELS]
    sturdy = [0.4 * level for level in LEVELS]
    fragile, robust = Scan(100, (curve(rising), curve(sturdy))).rates(0.5)
    # Equal rises, 4 · fragile = 0.4 · robust, up to where the sturdy one is at its end.
    assert (fragile, robust) == pytest.approx((1 / 11, 10 / 11), abs=1e-6)
    broken = [float("nan")] * len(LEVELS)
    broken[0] = 0.0
    spared, taken = Scan(100, (curve(broken), curve(sturdy))).rates(0.5)
    assert (spared, taken) == (pytest.approx(0.01, abs=0.02), pytest.approx(0.99, abs=0.01))
    with pytest.raises(StepError, match=r"sparsities up to 0\.99, not 0\.995"):
        Scan(100, (curve(rising),)).rates(0.995)


@pytest.mark.tensorflow
def test_a_scan_leaves_the_model_as_it_was(state: State, training_data: Any) -> None:
    kernels = prunable(state.model)
    before = [kernel.numpy() for kernel in kernels]
    reported: list[tuple[int, int]] = []
    training_data = replace(
        training_data, on_epoch=lambda done, total: reported.append((done, total))
    )
    found = scan(state.model, kernels, magnitude(kernels)(), training_data)
    for old, kernel in zip(before, kernels, strict=True):
        np.testing.assert_array_equal(old, kernel.numpy())
    assert reported == [(0, 2), (1, 2)]
    assert [layer.weights for layer in found.layers] == [784 * 32, 320]
    assert found.samples == 200
    held = held_out(training_data)
    x, y = training_data.x[held], training_data.y[held]
    right = np.asarray(state.model(x)).argmax(axis=1) == y
    for layer in found.layers:
        assert layer.accuracies[0] == pytest.approx(right.mean())
        assert layer.losses[-1] > layer.losses[0]
    # A point of the curve, by hand.
    kernel, level = kernels[0], LEVELS[5]
    order = np.sort(np.abs(before[0]), axis=None)
    edge = order[round(level * order.size)]
    kernel.assign(np.where(np.abs(before[0]) < edge, 0, before[0]))
    right = np.asarray(state.model(x)).argmax(axis=1) == y
    assert found.layers[0].accuracies[5] == pytest.approx(right.mean(), abs=0.011)


@pytest.mark.tensorflow
def test_rates_by_sensitivity_are_kept_and_told(state: State, training_data: Any) -> None:
    step = Prune(sparsity=0.8, scope="sensitivity", epochs=2)
    pruned = step.train(state, StepContext(training_data, lambda: None))
    document = pruned.findings["sensitivity"]
    assert document["levels"] == list(LEVELS)
    assert pruned.findings["zeros"] == pytest.approx(0.8, abs=1e-3)
    for layer in document["layers"]:
        assert pruned.findings["zeros_by_layer"][layer["name"]] == pytest.approx(
            layer["rate"], abs=2 / layer["weights"] + 1e-6
        )
    hidden, digit = (layer["rate"] for layer in document["layers"])
    assert hidden > digit
    again = step.train(state, StepContext(training_data, lambda: None))
    for a, b in zip(pruned.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.tensorflow
def test_taylor_knows_what_the_data_never_use(state: State, training_data: Any) -> None:
    kernels = prunable(state.model)
    first, last = taylor(state.model, kernels, training_data, None)()
    always_black = (training_data.x == 0).all(axis=0)
    assert always_black.any()
    assert (first[always_black] == 0).all()
    assert (first >= 0).all()
    assert (last > 0).any()
    # By hand, on one batch that is all of the data.
    few = replace(training_data, x=training_data.x[:64], y=training_data.y[:64])
    _, found = taylor(state.model, kernels, few, None)()
    hidden = np.maximum(few.x @ kernels[0].numpy() + state.model.get_weights()[1], 0)
    error = np.asarray(state.model(few.x)) - np.eye(10)[few.y]
    wanted = np.abs(kernels[1].numpy() * (hidden.T @ error / 64))
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-7)


@pytest.mark.tensorflow
def test_taylor_prunes_better_than_magnitude_at_once(state: State, training_data: Any) -> None:
    def loss_after(importance: Any) -> float:
        step = Prune(sparsity=0.8, importance=importance, schedule="once", epochs=0)
        pruned = step.train(state, StepContext(training_data, lambda: None))
        assert zero_share([k.numpy() for k in prunable(pruned.model)]) == pytest.approx(
            0.8, abs=1e-3
        )
        said = np.asarray(pruned.model(training_data.x))[
            np.arange(len(training_data.y)), training_data.y
        ]
        return float(-np.log(said + 1e-9).mean())

    assert loss_after("taylor") < loss_after("magnitude")
    gradual = Prune(sparsity=0.8, importance="taylor", epochs=2)
    made = gradual.train(state, StepContext(training_data, lambda: None))
    assert made.findings["zeros"] == pytest.approx(0.8, abs=1e-3)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (
            Prune(sparsity=0.5, scope="sensitivity", schedule="once", epochs=0),
            "199 training samples are too few",
        ),
        (Prune(sparsity=0.5, importance="taylor", schedule="once", epochs=0), "and there are 49"),
        (Prune(sparsity=0.995, scope="sensitivity", epochs=1), r"up to 0\.99, not 0\.995"),
    ],
)
def test_too_little_to_go_by(state: State, training_data: Any, step: Prune, sentence: str) -> None:
    count = {"sensitivity": 199, "global": 49}[step.scope] if step.epochs == 0 else 2000
    few = replace(training_data, x=training_data.x[:count], y=training_data.y[:count])
    with pytest.raises(StepError, match=sentence):
        step.train(state, StepContext(few, lambda: None))


@pytest.mark.tensorflow
@pytest.mark.parametrize("pattern", ["1x4", "1x16", "16x1", "2:4"])
def test_patterns_hold_after_retraining(state: State, training_data: Any, pattern: Any) -> None:
    from mobilebench.compress.pruning.masks import fits, follows
    from mobilebench.compress.steps.fine_tune import FineTune

    half = pattern == "2:4"
    step = Prune(sparsity=None if half else 0.75, scope="layer", pattern=pattern, epochs=2)
    context = StepContext(training_data, lambda: None)
    pruned = step.train(state, context)
    tuned = FineTune(epochs=1).train(pruned, context)
    left_dense = []
    for kernel in prunable(tuned.model):
        if fits(kernel.shape, pattern):
            assert follows(kernel.numpy(), pattern)
            assert zero_share([kernel.numpy()]) == pytest.approx(0.5 if half else 0.75, abs=0.01)
        else:
            left_dense.append(kernel.path.removesuffix("/kernel"))
            assert (kernel.numpy() != 0).all()
    assert bool(left_dense) == (pattern == "16x1")  # ten outputs are no multiple of 16
    warned = pruned.warnings == (f"left dense, not made of whole {pattern}: digits_32/digit",)
    assert warned == bool(left_dense)


@pytest.mark.tensorflow
def test_a_layer_is_never_emptied(state: State) -> None:
    state.model.layers[-1].kernel.assign(state.model.layers[-1].kernel.numpy() * 1e-6)
    step = Prune(sparsity=0.9, schedule="once", epochs=0)
    with pytest.raises(StepError, match="leaves nothing of layer digits_32/digit; use scope=layer"):
        step.train(state, StepContext(None, lambda: None))
