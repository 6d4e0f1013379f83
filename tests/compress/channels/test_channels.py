"""Structured pruning's one promise: the narrow network is the wide one with channels at zero."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.channels.cost import cost_of
from mobilebench.compress.channels.graph import ChannelGraph, channel_graph
from mobilebench.compress.channels.rewrite import deviation, run_masked, shrink
from mobilebench.compress.pipeline.convert import convert_keras
from mobilebench.errors import StepError
from mobilebench.models.zoo import ZOO
from mobilebench.tflite import inspect as inspection

pytestmark = pytest.mark.tensorflow

#: The issue's bound: how far the narrow network may be from the masked one.
EXACT = 1e-5


def lively(model: Any) -> Any:
    """The model with weights under which every channel, bias and normalization matters."""
    random = np.random.default_rng(3)
    for weight in model.weights:
        if not str(weight.dtype).startswith("float"):
            continue
        if weight.name in ("gamma", "moving_variance", "variance"):
            value = random.uniform(0.5, 1.5, weight.shape)
        elif len(weight.shape) < 2 or weight.name == "alpha":
            value = random.normal(0, 0.2, weight.shape)
        else:
            value = random.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape)
        weight.assign(value)
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # it computes with what it makes of its weights
            layer.finalize_state()
    return model


def some(graph: ChannelGraph, share: float = 0.5, seed: int = 1) -> Any:
    """A random choice: each pool keeps about so many of its channels, and at least one."""
    random = np.random.default_rng(seed)
    keep = np.ones(graph.count, np.bool_)
    for pool in graph.pools:
        size = len(pool.channels)
        keep[random.permutation(pool.channels)[: min(size - 1, round(size * share))]] = False
    return keep


def inputs_of(model: Any, batch: int = 2) -> list[Any]:
    random = np.random.default_rng(5)
    found = []
    for tensor in model.inputs:
        shape = (batch, *tensor.shape[1:])
        whole = "int" in str(tensor.dtype)
        found.append(random.integers(0, 9, shape) if whole else random.random(shape, np.float32))
    return found


def assert_exact(
    model: Any, *, changes: bool = True, large: bool = False
) -> tuple[ChannelGraph, Any]:
    """Removes half the channels; returns the graph and the narrow model.

    A large model is spared the checks that small ones make as well.
    """
    import keras

    graph = channel_graph(model)
    keep = some(graph)
    narrow = shrink(model, graph, keep)
    given = inputs_of(model)
    single = len(given) == 1
    found = keras.tree.flatten(narrow(given[0] if single else given, training=False))
    whole = keras.tree.flatten(model(given[0] if single else given, training=False))
    masked = run_masked(model, graph, keep, [keras.ops.convert_to_tensor(x) for x in given])
    assert not keep.all()
    for narrow_output, wide_output, wanted in zip(found, whole, masked, strict=True):
        largest = np.abs(wanted).max()
        assert largest > 0
        assert np.abs(np.asarray(narrow_output) - wanted).max() <= EXACT * max(1.0, largest)
        if changes:  # else nothing was tested
            assert np.abs(np.asarray(wide_output) - wanted).max() > 100 * EXACT * largest
    assert cost_of(graph).parameters == model.count_params()
    assert cost_of(graph, keep).parameters == narrow.count_params()
    if large:
        return graph, narrow
    assert cost_of(channel_graph(narrow)).macs == cost_of(graph, keep).macs
    assert deviation(model, narrow, graph, keep, seed=0) <= EXACT
    return graph, narrow


def held(graph: ChannelGraph) -> str:
    return "; ".join(f"{name} {reason}" for name, reason in graph.held.items())


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}


# Small graphs, one peculiarity each.


def _residual(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(8, 3, padding="same", name="stem")(x)
    y = layers.BatchNormalization()(x)
    y = layers.Activation("relu")(y)
    y = layers.Conv2D(8, 3, padding="same", name="branch")(y)
    x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dense(3)(x)


def _concatenation(layers: Any, x: Any) -> Any:
    a = layers.Conv2D(6, 3, padding="same", name="a")(x)
    b = layers.Conv2D(4, 1, name="b")(x)
    both = layers.Concatenate()([a, b, a])
    both = layers.BatchNormalization()(both)
    tall = layers.Concatenate(axis=1)([both, both])
    return layers.Dense(3)(layers.Flatten()(tall))


def _squeeze_and_excite(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(8, 3, activation="silu", name="body")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(4, 1, activation="relu", name="squeeze")(gate)
    gate = layers.Conv2D(8, 1, activation="sigmoid", name="excite")(gate)
    x = layers.Multiply()([x, gate])
    return layers.Dense(3)(layers.GlobalMaxPooling2D()(x))


def _depthwise(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(6, 3, name="first")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu6")(x)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.SeparableConv2D(8, 2, depth_multiplier=3, name="separable")(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    return layers.Dense(3)(layers.Flatten()(x))


def _transposed(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(6, 3, strides=2, padding="same", name="down")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="up")(x)
    x = layers.LeakyReLU()(layers.ZeroPadding2D(1)(layers.Cropping2D(1)(x)))
    x = layers.MaxPooling2D()(layers.UpSampling2D(2)(x))
    return layers.Conv2D(2, 1, activation="softmax")(x)


def _reshaped(layers: Any, x: Any) -> Any:
    x = layers.Dense(48, activation="relu", name="code")(layers.Flatten()(x))
    x = layers.Reshape((4, 4, 3))(x)
    x = layers.Conv2D(6, 3, padding="same", name="image")(x)
    x = layers.Reshape((16, 6))(x)
    x = layers.Conv1D(4, 3, name="sequence")(x)
    x = layers.SeparableConv1D(5, 2, name="separable")(layers.SpatialDropout1D(0.5)(x))
    x = layers.RepeatVector(2)(layers.GlobalAveragePooling1D()(x))
    return layers.Dense(3)(layers.Reshape((-1, 5))(x))


def _operations(layers: Any, x: Any) -> Any:
    import keras

    x = layers.Conv2D(8, 3, name="first")(x)
    x = x * keras.ops.relu6(x + 3.0) / 6.0
    y = layers.Conv2D(8, 1, name="second")(x)
    x = keras.ops.maximum(x - y, 0.1)
    x = keras.ops.mean(keras.ops.softplus(x), axis=[1, 2])
    return layers.Dense(3)(x)


def _nested(layers: Any, x: Any) -> Any:
    import keras

    inner = keras.Input((None, None, 6))
    block = keras.Model(
        inner, layers.Add()([inner, layers.Conv2D(6, 3, padding="same", name="in")(inner)])
    )
    head = keras.Sequential([layers.Flatten(), layers.Dense(8, "relu"), layers.Dense(3)])
    x = layers.Conv2D(6, 3, name="stem")(x)
    return head(block(layers.ReLU()(block(x))))


def _shared(layers: Any, x: Any) -> Any:
    same = layers.Conv2D(8, 3, padding="same", name="shared")
    one = layers.Conv2D(8, 1, name="one")(x)
    x = layers.Average()([same(one), same(layers.ReLU()(same(one)))])
    return layers.Dense(3)(layers.Flatten()(x))


def _augmented(layers: Any, x: Any) -> Any:
    """What Keras calls in training unless it is said otherwise, and what a user has said so of."""
    x = layers.RandomRotation(0.2)(layers.RandomFlip()(x))
    x = layers.Dropout(0.5)(layers.Conv2D(16, 3, activation="relu")(x), training=True)
    return layers.Dense(3)(layers.GaussianNoise(0.5)(layers.Flatten()(x)))


SMALL: dict[str, Callable[[Any, Any], Any]] = {
    "residual": _residual,
    "concatenation": _concatenation,
    "squeeze and excite": _squeeze_and_excite,
    "depthwise": _depthwise,
    "transposed": _transposed,
    "reshaped": _reshaped,
    "operations": _operations,
    "nested": _nested,
    "shared": _shared,
    "augmented": _augmented,
}


@pytest.mark.parametrize("name", SMALL)
def test_small_graphs_are_exact(name: str) -> None:
    import keras

    inputs = keras.Input((8, 8, 3))
    model = lively(keras.Model(inputs, SMALL[name](keras.layers, inputs)))
    graph, narrow = assert_exact(model)
    assert not graph.held
    assert narrow.count_params() < 0.75 * model.count_params()
    assert narrow.input_shape == model.input_shape
    assert narrow.output_shape == model.output_shape


def test_what_is_tied_goes_together() -> None:
    import keras

    inputs = keras.Input((8, 8, 3))
    graph = channel_graph(keras.Model(inputs, _residual(keras.layers, inputs)))
    assert [(p.layers, len(p.channels)) for p in graph.pools] == [(("stem", "branch"), 8)]
    graph = channel_graph(keras.Model(inputs, _squeeze_and_excite(keras.layers, inputs)))
    assert {p.layers for p in graph.pools} == {("body", "excite"), ("squeeze",)}
    graph = channel_graph(keras.Model(inputs, _reshaped(keras.layers, inputs)))
    assert {p.layers: len(p.channels) for p in graph.pools}[("code",)] == 3


def test_several_inputs_and_outputs() -> None:
    import keras
    from keras import layers

    words = keras.Input((7,), dtype="int32", name="words")
    image = keras.Input((6, 6, 2), name="image")
    text = layers.Embedding(10, 8, name="embedding")(words)
    text = layers.Dense(6, "tanh", name="text")(layers.GlobalAveragePooling1D()(text))
    seen = layers.Conv2D(6, 3, activation="relu", name="seen")(image)
    both = layers.Multiply()([layers.GlobalMaxPooling2D()(seen), text])
    hidden = layers.Dense(8, "relu", name="hidden")(both)
    outputs = [layers.Dense(2, name="left")(hidden), layers.Dense(3, name="right")(both), text]
    _, narrow = assert_exact(lively(keras.Model([words, image], outputs)), changes=False)
    assert narrow.get_layer("embedding").output_dim == 4
    assert narrow.get_layer("hidden").units == 4
    assert narrow.get_layer("text").units == 6, "it is an output"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda k: k.layers.LayerNormalization(name="stop"), "is a LayerNormalization"),
        (lambda k: k.layers.Softmax(name="stop"), "is a Softmax"),
        (lambda k: k.layers.Activation("softmax", name="stop"), "softmax, which sees all"),
        (lambda k: k.layers.Conv2D(8, 3, groups=2, name="stop"), "convolves in 2 groups"),
        (lambda k: k.layers.BatchNormalization(axis=1, name="stop"), "along another axis"),
        (lambda k: k.layers.Rescaling([0.5] * 8, name="stop"), "has a scale for each channel"),
        (lambda k: k.layers.Permute((3, 1, 2), name="stop"), "is a Permute"),
        (lambda k: k.layers.Reshape((6, 48), name="ok"), ""),
        (lambda k: k.layers.Reshape((-1, 12), name="stop"), "reshapes across its channels"),
        (lambda _: lambda x: x * np.arange(8.0, dtype="float32"), "numbers for each channel"),
        (lambda _: lambda x: 1.0 / (x + 100.0), "divides by channels"),
        (lambda k: lambda x: k.ops.sum(x, axis=-1, keepdims=True), "sums its channels up"),
    ],
)
def test_around_what_holds_its_channels(make: Callable[[Any], Any], reason: str) -> None:
    """A layer that mixes channels keeps those that reach it; others go as before."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 1, activation="relu", name="before")(inputs)
    x = layers.Conv2D(8, 3, name="reaching")(x)
    x = layers.Flatten()(make(keras)(x))
    x = layers.Dense(6, "relu", name="after")(x)
    graph, narrow = assert_exact(lively(keras.Model(inputs, layers.Dense(3)(x))))
    assert reason in held(graph)
    assert narrow.get_layer("before").filters == 3
    assert narrow.get_layer("after").units == 3
    assert narrow.get_layer("reaching").filters == (8 if reason else 4)


def test_a_layer_of_the_users_own_is_pruned_around() -> None:
    import keras
    from keras import layers

    @keras.saving.register_keras_serializable("test_channels")
    class Mine(layers.Dense):
        """A subclass may do anything with its channels."""

    inputs = keras.Input((5,))
    x = layers.Dense(6, "relu", name="before")(inputs)
    x = layers.Dense(8, "relu", name="after")(Mine(7, name="mine")(x))
    graph, narrow = assert_exact(lively(keras.Model(inputs, layers.Dense(3)(x))))
    assert graph.held == {"mine": "is a Mine, which may mix its channels"}
    assert shapes(narrow) | {"after": (8,)} == shapes(narrow) | {"before": (6,), "after": (8,)}
    assert narrow.get_layer("after").units == 4


def test_a_hidden_softmax_keeps_its_channels_and_gives_up_its_inputs() -> None:
    import keras
    from keras import layers

    inputs = keras.Input((5,))
    x = layers.Dense(6, "relu", name="before")(inputs)
    x = layers.Dense(8, "softmax", name="attention")(x)
    graph, narrow = assert_exact(lively(keras.Model(inputs, layers.Dense(3)(x))))
    assert held(graph) == "attention ends in softmax, which sees all channels"
    assert narrow.get_layer("before").units == 3
    assert narrow.get_layer("attention").units == 8


def test_a_model_that_is_no_graph() -> None:
    import keras

    class Own(keras.Model):
        """Built as a graph, but what it does with it is its own affair."""

        def call(self, x: Any) -> Any:
            return 2 * super().call(x)

    inputs = keras.Input((4,))
    own = Own(inputs, keras.layers.Dense(6, name="dense")(inputs), name="own")
    with pytest.raises(StepError, match="is no functional Keras graph but a class of its own"):
        channel_graph(own)
    outputs = keras.layers.Dense(2)(own(keras.layers.Dense(4, name="before")(inputs)))
    assert held(channel_graph(keras.Model(inputs, outputs))).startswith("own is a Own, which may")


def test_macs_are_those_of_the_textbook() -> None:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((9, 9, 3)),
            layers.Conv2D(4, 3),  # 7·7·9·3·4
            layers.DepthwiseConv2D(3, padding="same"),  # 7·7·9·4
            layers.SeparableConv2D(5, 3, padding="same"),  # 7·7·4·(9 + 5)
            layers.Conv2DTranspose(2, 2, strides=2),  # 7·7·4·5·2
            layers.Conv2D(6, 2, groups=2),  # 13·13·4·1·6
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),  # 6·10
        ]
    )
    macs = 49 * (9 * 12 + 9 * 4 + 4 * 14 + 4 * 10) + 169 * 24 + 60
    assert cost_of(channel_graph(model)).macs == macs


def test_macs_are_those_of_the_file(tmp_path: Path) -> None:
    """The two counters, of Keras graphs and of files, know nothing of each other."""
    import keras
    from keras import layers

    inputs = keras.Input((9, 9, 3))
    x = layers.Conv2D(4, 3, strides=2, activation="relu")(inputs)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.SeparableConv2D(6, 3)(x)
    x = layers.Conv2DTranspose(2, 2, strides=2)(x)
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)))
    content = convert_keras(model, tmp_path)
    assert inspection.read(content, "file").macs == cost_of(channel_graph(model)).macs


# Whole networks.


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_is_exact(name: str) -> None:
    assert_exact(lively(ZOO[name].build()), large=name == "mobilenet-v2")


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0", "ResNet50", "DenseNet121"])
def test_keras_applications_are_exact(name: str) -> None:
    import keras

    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=(64, 64, 3), classes=7, classifier_activation=None)
    graph, narrow = assert_exact(lively(model), large=True)
    assert not graph.held
    assert narrow.count_params() < 0.35 * model.count_params()
