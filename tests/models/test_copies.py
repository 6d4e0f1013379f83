"""A copy answers as its original, whatever its layers keep, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mobilebench.errors import BadInputError

pytestmark = pytest.mark.tensorflow

SAMPLES = np.random.default_rng(0).normal(3, 5, (32, 8)).astype(np.float32)


def adapted(**settings: Any) -> Any:
    import keras

    layer = keras.layers.Normalization(**settings)
    layer.adapt(SAMPLES)
    return layer


def functional(*layers: Any) -> Any:
    import keras

    x = inputs = keras.Input((8,))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def plain() -> Any:
    import keras

    return functional(adapted(), keras.layers.Dense(4, activation="softmax"))


def one_mean() -> Any:
    import keras

    return keras.Sequential(
        [keras.Input((8,)), adapted(axis=None), keras.layers.Dropout(0.5), keras.layers.Dense(4)]
    )


def inverse() -> Any:
    import keras

    return functional(keras.layers.Dense(8), adapted(invert=True))


def given() -> Any:
    import keras

    layer = keras.layers.Normalization(mean=[3.0] * 8, variance=[2.0] * 8)
    return functional(layer, keras.layers.Dense(4))


def nested() -> Any:
    import keras

    deepest = keras.Sequential([keras.Input((8,)), adapted(), keras.layers.Dense(8)])
    moving = keras.layers.BatchNormalization()
    model = functional(functional(deepest, moving), keras.layers.Dense(4))
    moving.moving_mean.assign(np.arange(8.0))
    moving.moving_variance.assign(np.arange(1.0, 9.0))
    return model


def shared() -> Any:
    import keras

    left, right = keras.Input((8,)), keras.Input((8,))
    norm, dense = adapted(), keras.layers.Dense(4)
    return keras.Model([left, right], [dense(norm(left)), dense(norm(right))])


def discretized() -> Any:
    import keras

    bins = keras.layers.Discretization(num_bins=4)
    bins.adapt(SAMPLES)
    return functional(bins, keras.layers.Embedding(5, 3), keras.layers.Flatten())


def looked_up() -> Any:
    import keras

    lookup = keras.layers.IntegerLookup(output_mode="multi_hot")
    lookup.adapt(np.arange(3, 9))
    numbers = keras.Input((8,), dtype="int64")
    return keras.Model(numbers, keras.layers.Dense(3)(lookup(numbers)))


def wrapped() -> Any:
    import keras

    layers = keras.layers
    return functional(
        adapted(),
        layers.Reshape((4, 2)),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.TimeDistributed(layers.Dense(2)),
        layers.Flatten(),
    )


def of_its_own() -> Any:
    import keras

    class Scaled(keras.layers.Layer):  # type: ignore[misc]
        """Has layers in it, one of which was adapted."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.steps = [keras.layers.Normalization(), keras.layers.Dense(4)]

        def build(self, shape: Any) -> None:
            for step in self.steps:
                step.build(shape)

        def call(self, x: Any) -> Any:
            for step in self.steps:
                x = step(x)
            return x

    layer = Scaled()
    model = functional(layer, keras.layers.Dense(2))
    layer.steps[0].adapt(SAMPLES)
    return model


KINDS: list[Callable[[], Any]] = [
    plain, one_mean, inverse, given, nested, shared, discretized, looked_up, wrapped, of_its_own,
]  # fmt: skip


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_a_copy_answers_as_its_original(make: Callable[[], Any]) -> None:
    import keras
    from mobilebench.models.copies import copy_of

    model = make()
    copy = copy_of(model)
    x: Any = SAMPLES.astype(int) if make is looked_up else SAMPLES
    x = [x, -x] if len(model.inputs) > 1 else x

    def answers(one: Any) -> list[Any]:
        return [np.asarray(found) for found in keras.tree.flatten(one(x, training=False))]

    wanted = answers(model)
    for found, right in zip(answers(copy), wanted, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)
    for variable in copy.trainable_variables:
        variable.assign_add(np.ones(variable.shape))
    for found, right in zip(answers(model), wanted, strict=True):
        np.testing.assert_array_equal(found, right, "they share nothing")


def test_numbers_of_rows_need_no_integers() -> None:
    """``keras.Input((12,))`` takes real numbers, and an embedding its own rows only."""
    import keras
    from keras import layers
    from mobilebench.models.copies import copy_of, noise_for

    def model(rows: int, *between: Any) -> Any:
        inputs = keras.Input((12,))
        x = inputs
        for layer in (*between, layers.Embedding(rows, 4), layers.Flatten(), layers.Dense(2)):
            x = layer(x)
        return keras.Model(inputs, x)

    for one in (model(30), model(30, layers.Reshape((12,))), model(30, layers.Rescaling(0.01))):
        assert copy_of(one).count_params() == one.count_params()
    tokens = np.asarray(noise_for(model(30), (1, 255)))
    assert set(tokens.ravel()) <= set(range(30))
    assert len(set(tokens.ravel())) > 5, "not always the same row"


def test_a_model_that_takes_no_noise_says_so() -> None:
    import keras
    from mobilebench.models.copies import copy_of

    class Picky(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            if not isinstance(x, keras.KerasTensor):
                raise ValueError("nothing suits it\nat all")
            return x

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    with pytest.raises(BadInputError, match=r"cannot be run on noise.*nothing suits it"):
        copy_of(functional(Picky(), keras.layers.Dense(2)))


def test_what_cannot_be_copied_is_refused() -> None:
    import keras
    from mobilebench.models.copies import copy_of

    @keras.saving.register_keras_serializable("tests")
    class Hidden(keras.layers.Layer):  # type: ignore[misc]
        """Computes with a number that is in no configuration and no weight."""

        factor = 1.0

        def call(self, x: Any) -> Any:
            return x * self.factor

    def hidden() -> Any:
        layer = Hidden(name="secret")
        layer.factor = 7.0
        return layer

    model = functional(hidden(), keras.layers.Dense(4))
    with pytest.raises(
        BadInputError, match=r"they part at layer 'secret' \(Hidden\); a layer must"
    ):
        copy_of(model)
    inner = functional(hidden(), keras.layers.Dense(4))
    with pytest.raises(BadInputError, match=r"part at layer 'functional\w*' \(Functional\)"):
        copy_of(functional(inner, keras.layers.ReLU()))
    again = hidden()
    model = functional(again, keras.layers.Dense(4))
    functional(again)  # the layer is in a second graph, where the first one cannot look in
    with pytest.raises(BadInputError, match="and they are Hidden; a layer must"):
        copy_of(model)


def test_a_fresh_copy_keeps_what_was_adapted_and_nothing_else() -> None:
    from mobilebench.models.copies import fresh_copy

    model = plain()
    copy = fresh_copy(model)
    for own, other in zip(copy.layers[1:], model.layers[1:], strict=True):
        same = [
            np.array_equal(a, b)
            for a, b in zip(own.get_weights(), other.get_weights(), strict=True)
            if np.any(b)
        ]
        assert all(same) == hasattr(own, "adapt")
    np.testing.assert_allclose(
        copy.layers[1](SAMPLES).numpy(), model.layers[1](SAMPLES).numpy(), rtol=1e-5
    )
