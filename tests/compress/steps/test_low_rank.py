"""Low rank: two thin layers in the place of a wide one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.pipeline.convert import convert_keras
from mobilebench.compress.pipeline.state_file import read_state, write_state
from mobilebench.compress.step import State, StepContext
from mobilebench.compress.steps.low_rank import LowRank
from mobilebench.errors import StepError
from mobilebench.models.copies import copy_of
from mobilebench.tflite.interpreter import Runner

pytestmark = pytest.mark.tensorflow


def convolutions() -> Any:
    """Two 1 x 1 convolutions, one with strides, a 3 x 3 one, and a residual addition."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 16))
    x = layers.Conv2D(32, 1, strides=2, activation="relu", name="point")(inputs)
    y = layers.Conv2D(32, 3, padding="same", name="wide")(x)
    y = layers.Conv2D(32, 1, name="second")(y)
    x = layers.Flatten(name="flat")(layers.Add(name="sum")([x, y]))
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="out")(x))


def thin(model: Any, rank: int) -> None:
    """Makes the kernel of every Dense layer and 1 x 1 convolution exactly of that rank."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name in ("point", "second", "out"):
            kernel, *rest = layer.get_weights()
            inputs, outputs = kernel.shape[-2:]
            low = random.normal(size=(inputs, rank)) @ random.normal(size=(rank, outputs))
            layer.set_weights([low.reshape(kernel.shape) / inputs, *rest])


@pytest.mark.parametrize("step", [LowRank(rank=3, epochs=0), LowRank(energy=0.9999999, epochs=0)])
def test_a_kernel_of_that_rank_is_split_without_loss(step: LowRank, tmp_path: Any) -> None:
    model = convolutions()
    thin(model, 3)
    split = step.train(State(model), StepContext(None, lambda: None))
    assert split.findings["ranks"] == {"point": 3, "second": 3, "out": 3}
    assert split.model.count_params() < model.count_params()
    samples = np.random.default_rng(1).normal(size=(4, 8, 8, 16)).astype(np.float32)
    wanted = np.asarray(model(samples, training=False))
    np.testing.assert_allclose(split.model(samples, training=False), wanted, atol=1e-5)
    file = Runner(convert_keras(split.model, tmp_path))
    np.testing.assert_allclose(file.run(list(samples)), wanted, atol=1e-5)


def over_two_axes(layers: Any, x: Any) -> Any:
    return layers.MultiHeadAttention(2, 8, attention_axes=(1, 2), name="a")(x, x)


def of_other_widths(layers: Any, x: Any) -> Any:
    x = layers.Reshape((32, 32))(x)
    settings = {"value_dim": 12, "output_shape": 10, "use_bias": False, "use_gate": True}
    return layers.MultiHeadAttention(2, 16, **settings, name="a")(x, x, use_causal_mask=True)


def einsums(layers: Any, x: Any) -> Any:
    x = layers.EinsumDense("abcd,de->abce", (8, 4, 64), bias_axes="e", activation="relu")(x)
    x = layers.EinsumDense("abcd,cde->abe", (8, 24))(x)
    return layers.EinsumDense("...x,xy->...y", 32)(x)


@pytest.mark.parametrize("make", [over_two_axes, of_other_widths, einsums])
def test_projections_are_split_and_kept(make: Callable[[Any, Any], Any], tmp_path: Path) -> None:
    import keras
    from keras import layers

    inputs = keras.Input((8, 4, 32))
    model = keras.Model(inputs, make(layers, inputs))
    split = LowRank(energy=0.6, epochs=0).train(State(model), StepContext(None, lambda: None))
    assert split.findings["split_of_all_weights"] > 0.9
    assert split.model.count_params() < 0.7 * model.count_params()
    write_state(split, tmp_path / "state.keras")
    found = copy_of(read_state(tmp_path / "state.keras").model)
    samples = np.random.default_rng(1).normal(size=(4, 8, 4, 32)).astype(np.float32)
    wanted = np.asarray(split.model(samples, training=False))
    np.testing.assert_array_equal(found(samples, training=False), wanted)
    file = Runner(convert_keras(found, tmp_path))
    np.testing.assert_allclose(file.run(list(samples)), wanted.reshape(4, -1), atol=1e-4)


def test_more_energy_never_takes_a_lower_rank(state: State) -> None:
    none = StepContext(None, lambda: None)
    ranks = [
        LowRank(energy=energy, epochs=0).train(state, none).findings["ranks"]["hidden"]
        for energy in (0.3, 0.5, 0.6)
    ]
    assert ranks == sorted(ranks)


def test_training_on_learns(state: State, context: StepContext) -> None:
    cut = LowRank(rank=8, epochs=0).train(state, context)
    tuned = LowRank(rank=8, epochs=2).train(state, context)
    x, y = context.training_data.x, context.training_data.y  # type: ignore[union-attr]

    def right(model: Any) -> float:
        return float((np.asarray(model(x)).argmax(-1) == y).mean())

    assert right(tuned.model) > right(cut.model)


def test_a_rank_that_saves_nothing_is_an_error(state: State) -> None:
    with pytest.raises(StepError, match="split nothing"):
        LowRank(rank=100, epochs=0).train(state, StepContext(None, lambda: None))
