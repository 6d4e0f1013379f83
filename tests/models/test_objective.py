"""What a model is trained by: what it was compiled with, else its task and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.models.compiled import Compiled, read_compiled
from mobilebench.models.training import Options, TrainingData, fit
from mobilebench.models.training_settings import TrainingSettings

pytestmark = pytest.mark.tensorflow

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(96, 6)).astype(np.float32)


def data(y: Any, **more: Any) -> TrainingData:
    return TrainingData(X, y, TrainingSettings(batch=16, learning_rate=0.02), 0, **more)


def network(units: int, activation: str | None, **dense: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16, "relu", name="hidden", **dense),
            keras.layers.Dense(units, activation, name="out"),
        ]
    )


def mean_loss(model: Any, training_data: TrainingData) -> float:
    objective = training_data.objective(model)
    with objective.outputs_of(model) as call:
        found = call(X, training=False)
        y = objective.labels if len(objective.labels) > 1 else objective.labels[0]
        return float(objective.batch_loss(model, found, y, X, None))


@pytest.mark.parametrize(
    ("units", "activation", "y"),
    [
        pytest.param(1, None, X[:, :1] * 2 + 1, id="regression"),
        pytest.param(1, "sigmoid", (X[:, 0] > 0).astype(np.int64), id="binary"),
        pytest.param(3, "sigmoid", (X[:, :3] > 0).astype(np.float32), id="several labels"),
        pytest.param(3, "softmax", np.eye(3)[X[:, :3].argmax(axis=1)], id="one-hot rows"),
        pytest.param(3, None, X[:, :3].argmax(axis=1).astype(np.float32), id="class numbers"),
        pytest.param(6, None, X, id="reconstruction"),
    ],
)
def test_labels_and_outputs_say_what_is_learned(units: int, activation: str | None, y: Any) -> None:
    model, training_data = network(units, activation), data(y)
    before = mean_loss(model, training_data)
    assert fit(model, training_data, epochs=15)
    assert mean_loss(model, training_data) < 0.8 * before


def test_a_mask_has_a_class_at_each_place() -> None:
    import keras

    x = RANDOM.normal(size=(32, 6, 6, 2)).astype(np.float32)
    y = (x[..., 0] > 0).astype(np.int64)
    keras.utils.set_random_seed(0)
    last = keras.layers.Conv2D(2, 1, activation="softmax")
    model = keras.Sequential([keras.Input((6, 6, 2)), keras.layers.Conv2D(4, 1), last])
    fit(model, TrainingData(x, y, TrainingSettings(batch=8, learning_rate=0.05), 0), epochs=20)
    assert (np.asarray(model(x)).argmax(axis=-1) == y).mean() > 0.9


def test_several_inputs_and_outputs_are_learned_together() -> None:
    import keras

    keras.utils.set_random_seed(0)
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    joined = keras.layers.Dense(16, "relu")(keras.layers.Concatenate()([left, right]))
    outputs = [
        keras.layers.Dense(3, "softmax", name="kind")(joined),
        keras.layers.Dense(1, name="size")(joined),
    ]
    model = keras.Model([left, right], outputs)
    labels = {"kind": X[:, :3].argmax(axis=1), "size": X[:, :1]}
    training_data = TrainingData((X, -X), labels, TrainingSettings(batch=16, learning_rate=0.02), 0)
    assert fit(model, training_data, epochs=20)
    kind, size = model([X, -X])
    assert (np.asarray(kind).argmax(axis=1) == labels["kind"]).mean() > 0.8
    assert np.square(np.asarray(size) - X[:, :1]).mean() < 0.5
    with pytest.raises(BadInputError, match="outputs are kind, size"):
        TrainingData((X, -X), {"other": X}, TrainingSettings(), 0).objective(model)


def test_what_a_model_was_compiled_with_is_used(tmp_path: Path) -> None:
    import keras

    model = network(3, "softmax", kernel_regularizer=keras.regularizers.L2(0.5))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss=loss, metrics=["accuracy"])
    model.save(tmp_path / "model.keras")
    compiled = read_compiled(tmp_path / "model.keras")
    assert compiled is not None
    y = X[:, :3].argmax(axis=1)
    training_data = data(y, compiled=compiled)
    plain = keras.models.load_model(tmp_path / "model.keras", compile=False)
    wanted = float(loss(np.eye(3, dtype=np.float32)[y], plain(X))) + float(plain.losses[0])
    assert mean_loss(plain, training_data) == pytest.approx(wanted, rel=1e-5)
    assert not fit(plain, training_data, epochs=1)  # its own learning rate is 0
    assert fit(plain, training_data, epochs=1, options=Options(optimizer="adam"))


def test_a_loss_whose_code_is_unknown_is_one_sentence(tmp_path: Path) -> None:
    def own(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2

    model = network(1, None)
    model.compile(loss=own)
    model.save(tmp_path / "model.keras")
    with pytest.raises(BadInputError, match="custom_objects"):
        read_compiled(tmp_path / "model.keras")


def test_a_loss_of_ones_own_is_used_as_it_is() -> None:
    import keras

    def dice(y_true: Any, y_pred: Any) -> Any:  # Keras has one of that name
        return keras.ops.mean(abs(y_true - y_pred), axis=-1)

    model = network(1, None)
    found = np.asarray(model(X))
    for given, error in ((dice, np.abs), ("mse", np.square)):
        for y in (X[:, 0], X[:, :1]):
            wanted = float(error(X[:, :1] - found).mean())
            training_data = data(y, compiled=Compiled(given, None, None))
            assert mean_loss(model, training_data) == pytest.approx(wanted, rel=1e-5)


def test_a_learning_rate_that_diverges_is_the_models_own() -> None:
    import keras

    optimizer = keras.saving.serialize_keras_object(keras.optimizers.SGD(1e20))
    training_data = data(X[:, :1], compiled=Compiled("mse", None, optimizer))
    with pytest.raises(BadInputError, match=r"diverged .* which was 1e\+20"):
        fit(network(1, None), training_data, epochs=3)


def test_weights_say_how_much_a_sample_counts() -> None:
    y = X[:, :3].argmax(axis=1)
    model = network(3, "softmax")
    fit(model, data(y, weights=(y != 2).astype(np.float32)), epochs=30)
    found = np.asarray(model(X)).argmax(axis=1)
    assert (found == 2).mean() < 0.05  # nobody asked it to learn those
    assert (found == y)[y != 2].mean() > 0.9


def test_training_stops_early_with_the_best_weights() -> None:
    epochs: list[float] = []
    y = RANDOM.integers(0, 3, len(X))  # there is nothing to learn but by heart
    training_data = data(y, on_epoch=lambda done, _all: epochs.append(done))
    fit(
        network(3, "softmax"),
        training_data,
        epochs=200,
        options=Options(validation=0.25, early_stopping=3, batch=8),
    )
    assert max(epochs) < 100


def test_labels_that_say_nothing_of_the_output_are_named() -> None:
    with pytest.raises(BadInputError, match=r"shape \(5,\) say nothing of output 'out'"):
        data(RANDOM.normal(size=(96, 5))).objective(network(3, None))
