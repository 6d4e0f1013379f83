from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.pipeline.convert import convert_keras
from mobilebench.compress.pruning.importance import zero_share
from mobilebench.compress.step import State, StepContext
from mobilebench.compress.steps.cluster import Cluster
from mobilebench.compress.steps.fine_tune import FineTune
from mobilebench.compress.steps.prune import Prune
from mobilebench.compress.steps.quantization_aware import (
    QuantizationAware,
    round_weights,
    with_rounded_activations,
)
from mobilebench.compress.steps.quantize import DynamicInt4, DynamicInt8, Int8
from mobilebench.errors import StepError
from mobilebench.models.kernels import prunable
from mobilebench.tflite.graph import parse
from mobilebench.tflite.interpreter import Runner

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def context(training_data: Any) -> StepContext:
    return StepContext(training_data, lambda: None)


def small_convolutional() -> Any:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, use_bias=False, name="convolution"),
            layers.BatchNormalization(name="normalization"),
            layers.ReLU(name="relu"),
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise"),
            layers.Flatten(name="flat"),
            layers.Dense(3, activation="softmax", name="answer"),
        ]
    )


@pytest.mark.parametrize(("step", "bits"), [(DynamicInt8(), 8), (DynamicInt4(), 4)])
def test_weights_are_rounded_as_the_quantizer_rounds_them(
    digits: Any, state: State, step: Any, bits: int
) -> None:
    """The file's outputs on one-hot inputs are its kernel, unpacked."""
    import keras

    dense = keras.Sequential([keras.Input((32,)), keras.layers.Dense(10, use_bias=False)])
    kernel = state.model.get_layer("digit").kernel.numpy()
    dense.layers[0].set_weights([kernel])
    made = step.quantize(convert_keras(dense, digits.folder)).content
    found = Runner(made).run(list(np.eye(32, dtype=np.float32)))
    np.testing.assert_allclose(found, np.asarray(round_weights(kernel, bits)), rtol=0.01, atol=1e-4)


def test_rounding_keeps_zero_and_lets_gradients_through() -> None:
    import tensorflow as tf

    weights = tf.constant(np.linspace(-1, 1, 42, dtype=np.float32).reshape(6, 7))
    weights = tf.where(abs(weights) < 0.2, 0.0, weights)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        total = tf.reduce_sum(round_weights(weights, 4))
    assert (tape.gradient(total, weights).numpy() == 1).all()
    rounded = round_weights(weights, 4).numpy()
    assert (rounded[weights.numpy() == 0] == 0).all()
    for channel, original in zip(rounded.T, weights.numpy().T, strict=True):
        step = abs(original).max() / 7
        assert abs(channel / step - np.rint(channel / step)).max() < 1e-4
        assert abs(channel - original).max() <= step / 2 + 1e-6
    together = round_weights(weights, 4, axis=None).numpy()
    assert together.shape == weights.shape
    assert len(np.unique(together)) <= 15
    across = round_weights(weights, 4, axis=0).numpy()
    np.testing.assert_allclose(across, round_weights(tf.transpose(weights), 4).numpy().T, atol=1e-6)


def test_what_is_fused_is_rounded_once() -> None:
    model = small_convolutional()
    rounded = with_rounded_activations(model)
    following = {
        layer.name: [type(node.operation).__name__ for node in layer._outbound_nodes]
        for layer in rounded.layers
    }
    assert following["convolution"] == ["BatchNormalization"]
    assert following["normalization"] == ["ReLU"]
    assert following["relu"] == following["depthwise"] == ["Rounded"]
    assert following["flat"] == ["Dense"]
    assert following["answer"] == []
    x = np.random.default_rng(0).normal(size=(16, 8, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(rounded(x), model(x), atol=0.05)


def test_only_training_moves_ranges() -> None:
    rounded = with_rounded_activations(small_convolutional())
    x = np.random.default_rng(0).normal(size=(16, 8, 8, 2)).astype(np.float32)

    def kept() -> list[Any]:
        return [variable.numpy() for variable in rounded.non_trainable_variables]

    fresh = kept()
    rounded(x, training=True)
    trained = kept()
    assert any((old != new).any() for old, new in zip(fresh, trained, strict=True))
    rounded(10 * x, training=False)
    for old, new in zip(trained, kept(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_training_with_rounding_helps_where_bits_are_few(digits: Any, training_data: Any) -> None:
    """On networks so narrow that 4 bits cost them much; in the mean, since one training is luck."""
    import keras
    from mobilebench.models.training import fit

    def loss_after(step: Any, model: Any, data: Any) -> float:
        trained = step.train(State(model), StepContext(data, lambda: None)).model
        content = convert_keras(trained, digits.folder)
        small = Int8(weight_bits=4).quantize(content, list(data.x[:100])).content
        given = Runner(small).run(list(data.x))
        return float(-np.log(given[np.arange(len(data.x)), data.y] + 1e-6).mean())

    aware, plain = [], []
    for seed in range(3):
        data = replace(training_data, seed=seed)
        keras.utils.set_random_seed(seed)
        hidden = [keras.layers.Dense(8, activation="relu") for _ in range(4)]
        narrow = keras.Sequential(
            [keras.Input((784,)), *hidden, keras.layers.Dense(10, activation="softmax")]
        )
        fit(narrow, data, epochs=6)
        before = [weight.copy() for weight in narrow.get_weights()]
        aware.append(loss_after(QuantizationAware(epochs=4, weight_bits=4), narrow, data))
        plain.append(loss_after(FineTune(epochs=4), narrow, data))
        for weight, now in zip(before, narrow.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, now)
    assert np.mean(aware) < np.mean(plain)


def test_it_is_deterministic_and_leaves_a_plain_model(state: State, context: StepContext) -> None:
    first, second = (QuantizationAware(epochs=1).train(state, context) for _ in range(2))
    assert [layer.name for layer in first.model.layers] == ["hidden", "digit"]
    assert first.findings["rounded_kernels"] == 2
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pruned_weights_stay_zero(state: State, context: StepContext) -> None:
    pruned = Prune(sparsity=0.8, epochs=1).train(state, context)
    aware = QuantizationAware(epochs=1).train(pruned, context)
    assert aware.findings["zeros"] == pytest.approx(0.8, abs=1e-3)
    for kernel, kept in zip(prunable(aware.model), pruned.kept or (), strict=True):
        assert (kernel.numpy()[~kept] == 0).all()
    assert zero_share([kernel.numpy() for kernel in prunable(aware.model)]) >= 0.8 - 1e-3


def test_normalizations_learn_their_statistics(training_data: Any) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = small_convolutional()
    random = np.random.default_rng(0)
    x = random.normal(3, 2, size=(256, 8, 8, 2)).astype(np.float32)
    own = replace(training_data, x=x, y=(x.mean((1, 2, 3)) > 3).astype(np.int64))
    trained = QuantizationAware(epochs=2).train(State(model), StepContext(own, lambda: None)).model
    assert trained.get_layer("normalization").moving_mean.numpy().any()
    assert np.isfinite(trained(x)).all()


def test_what_cannot_be_trained_so(state: State, context: StepContext) -> None:
    import keras

    with pytest.raises(StepError, match="training changed nothing"):
        QuantizationAware(epochs=1, learning_rate=1e-50).train(state, context)
    plain = keras.Sequential([keras.Input((784,)), keras.layers.Softmax()])
    with pytest.raises(StepError, match="no Dense, convolution or recurrent kernel"):
        QuantizationAware(epochs=1).train(State(plain), context)


def test_shared_values_stay_shared_in_the_file(
    digits: Any, state: State, context: StepContext
) -> None:
    clustered = Cluster(clusters=8, epochs=1).train(state, context)
    trained = QuantizationAware(epochs=1).train(clustered, context)
    made = DynamicInt8().quantize(convert_keras(trained.model, digits.folder)).content
    kernels = [o.inputs[1] for o in parse(made, "made").operators if o.kind == "FULLY_CONNECTED"]
    assert [kernel.scales for kernel in kernels if kernel] == [1, 1]
    assert all(len(np.unique(kernel.values())) <= 9 for kernel in kernels if kernel)
