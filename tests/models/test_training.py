from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.errors import BadInputError
from mobilebench.models.checkpoint import Checkpoint
from mobilebench.models.copies import copy_of
from mobilebench.models.objective import logits_of
from mobilebench.models.training import (
    Options,
    TrainingData,
    doubts,
    fit,
    shifted,
)
from mobilebench.models.training_settings import TrainingSettings

pytestmark = pytest.mark.tensorflow


def layers_of(*layers: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,)), *layers])


def training_data(seed: int = 0) -> TrainingData:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 4)).astype(np.float32)
    return TrainingData(x, x.argmax(axis=1), TrainingSettings(batch=32, learning_rate=0.01), seed)


def test_it_learns_and_one_seed_gives_one_model() -> None:
    from keras.layers import Dense

    start = layers_of(Dense(16, "relu"), Dense(4, "softmax"))
    trained = []
    for seed in (0, 0, 1):
        model = copy_of(start)
        fit(model, training_data(seed), epochs=20)
        trained.append(model.get_weights())
    for first, again in zip(trained[0], trained[1], strict=True):
        np.testing.assert_array_equal(first, again)
    assert (trained[0][0] != trained[2][0]).any()
    right = np.asarray(model(training_data().x)).argmax(axis=1) == training_data().y
    assert right.mean() > 0.9
    assert (np.asarray(start(training_data().x)).argmax(axis=1) == training_data().y).mean() < 0.6


def test_logits_are_those_before_the_softmax() -> None:
    import keras
    from keras.layers import Activation, Dense, Softmax

    for end in ([Dense(3, "softmax")], [Dense(3), Softmax()], [Dense(3), Activation("softmax")]):
        model = layers_of(*end)
        for wrapped in (model, keras.Sequential([keras.Input((4,)), model])):
            x = training_data().x[:5] * 100  # probabilities underflow, logits do not
            probabilities = np.asarray(wrapped(x))
            with logits_of(wrapped) as logits:
                found = np.asarray(logits(x))
            kernel, bias = model.get_weights()
            np.testing.assert_allclose(found, x @ kernel + bias, rtol=1e-4, atol=1e-3)
            np.testing.assert_array_equal(np.asarray(wrapped(x)), probabilities)


def test_logits_within_logits() -> None:
    from keras.layers import Dense, Softmax

    for end in ([Dense(3, "softmax")], [Dense(3), Softmax()]):
        model = layers_of(*end)
        probabilities = np.asarray(model(training_data().x))
        with logits_of(model) as outer, logits_of(model) as inner:
            np.testing.assert_array_equal(
                np.asarray(outer(training_data().x)), inner(training_data().x)
            )
        np.testing.assert_array_equal(np.asarray(model(training_data().x)), probabilities)


def test_a_training_that_diverges_says_so() -> None:
    import tensorflow as tf
    from keras.layers import Dense

    def loss(logits: Any, _labels: Any, _samples: Any, _weights: Any) -> Any:
        return tf.reduce_sum(logits) * np.float32("nan")

    with pytest.raises(BadInputError, match=r"diverged in epoch 1 of 3: .* which was 0\.01"):
        fit(layers_of(Dense(4)), training_data(), epochs=3, loss=loss)
    x = training_data().x
    x[0, 0] = np.nan  # a batch or two, and everything after them
    broken = TrainingData(x, training_data().y, training_data().settings, 0)
    with pytest.raises(BadInputError, match="diverged in epoch 1 of 2"):
        fit(layers_of(Dense(4)), broken, epochs=2)


def test_only_classifiers_have_logits() -> None:
    from keras.layers import Dense

    with (
        pytest.raises(BadInputError, match="ends in sigmoid"),
        logits_of(layers_of(Dense(3, "sigmoid"))),
    ):
        pass


def test_normalizations_learn_too() -> None:
    from keras.layers import BatchNormalization, Dense

    model = layers_of(BatchNormalization(), Dense(4, "softmax"))
    before = [w.copy() for w in model.get_weights()]
    fit(model, training_data(), epochs=1)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_fewer_samples_than_a_batch() -> None:
    from keras.layers import Dense

    few = TrainingData(training_data().x[:5], training_data().y[:5], TrainingSettings(), 0)
    seen: list[tuple[int, int]] = []
    few = TrainingData(
        few.x, few.y, few.settings, 0, lambda done, total: seen.append((done, total))
    )
    fit(layers_of(Dense(4, "softmax")), few, epochs=2)
    assert seen == [(1, 2), (2, 2)]


def test_fewer_samples_than_classes_teach_nobody() -> None:
    from keras.layers import Dense

    few = TrainingData(training_data().x[:3], training_data().y[:3], TrainingSettings(), 0)
    with pytest.raises(BadInputError, match="are 3 training samples for 4 classes, which is too"):
        fit(layers_of(Dense(4, "softmax")), few, epochs=1)


def test_what_few_samples_may_not_teach_is_warned_of() -> None:
    x, y = training_data().x[:30], np.arange(30) % 3
    assert doubts(TrainingData(x, y, TrainingSettings(batch=30), 0), 3) == ()
    by_heart, unlearned = doubts(TrainingData(x, y, TrainingSettings(batch=31), 0), 4)
    assert by_heart.startswith("trained on 30 samples only, less than a batch of 31")
    assert unlearned.startswith("the training data have no sample of class 3")


def test_samples_beyond_all_scale_are_named_where_training_diverges() -> None:
    from keras.layers import Dense

    huge = TrainingData(
        training_data().x * np.float32(1e37), training_data().y, training_data().settings, 0
    )
    with pytest.raises(BadInputError, match=r"or scale the samples, which reach \d"):
        fit(layers_of(Dense(4)), huge, epochs=1)


def test_what_computes_outputs_is_judged_by_too() -> None:
    from keras.layers import Dense

    seen = set()

    def forward(model: Any, samples: Any, *, training: bool) -> Any:
        seen.add(training)
        return model(samples, training=training)

    options = Options(validation=0.2, early_stopping=1)
    fit(layers_of(Dense(4)), training_data(), epochs=1, forward=forward, options=options)
    assert seen == {True, False}


def test_shifts_move_images_and_let_zeros_in() -> None:
    images = np.zeros((50, 5, 5), np.float32)
    images[:, 2, 2] = 1
    moved = shifted(images.reshape(50, 25), 1, np.random.default_rng(0))
    assert moved.shape == (50, 25)
    assert (moved.sum(axis=1) == 1).all()
    rows, columns = np.unravel_index(moved.argmax(axis=1), (5, 5))
    assert set(rows) == set(columns) == {1, 2, 3}
    assert shifted(images, 0, np.random.default_rng(0)) is images


def test_an_interrupted_training_goes_on_within_it_with_the_same_bytes(tmp_path: Path) -> None:
    from keras.layers import Dense, Dropout

    class InterruptedByUserError(Exception):
        pass

    def stop(done: float, _all: int) -> None:
        if done > 3.5:
            raise InterruptedByUserError

    start = layers_of(Dense(16, "relu"), Dropout(0.3), Dense(4, "softmax"))
    options = Options(validation=0.2, early_stopping=50)
    whole, cut = copy_of(start), copy_of(start)
    fit(whole, training_data(), epochs=6, options=options)
    kept = Checkpoint(tmp_path / "kept.npz", seconds=0)
    with pytest.raises(InterruptedByUserError):
        fit(
            cut,
            replace(training_data(), checkpoint=kept, on_epoch=stop),
            epochs=6,
            options=options,
        )
    fresh, epochs = copy_of(start), []
    again = replace(
        training_data(), checkpoint=kept, on_epoch=lambda done, _all: epochs.append(done)
    )
    fit(fresh, again, epochs=6, options=options)
    assert min(epochs) > 3
    for one, other in zip(whole.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not kept.path.exists()
