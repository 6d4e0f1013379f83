"""Which weights training steps reach, of layers of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.pipeline.convert import convert_keras
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.step import State, StepContext, TrainingStep
from mobilebench.errors import StepError
from mobilebench.models.kernels import kernels_of
from mobilebench.models.training import TrainingData
from mobilebench.models.training_settings import TrainingSettings
from mobilebench.tflite.interpreter import Runner, zeros_of_loops

pytestmark = pytest.mark.tensorflow


PARTS = ("", "/recurrent_kernel")


def sequences(*, padded: bool = True) -> Any:
    """An embedding, recurrent layers one way and both ways, attention, and a Dense layer."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    tokens = keras.Input((12,), dtype="int32")
    x = layers.Embedding(60, 16, mask_zero=padded, name="words")(tokens)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True, name="lstm"), name="both")(x)
    x = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    x = layers.GRU(16, name="one")(x)
    return keras.Model(tokens, layers.Dense(3, activation="softmax", name="out")(x))


def context() -> StepContext:
    random = np.random.default_rng(0)
    x = random.integers(0, 60, (64, 12)).astype(np.float32)
    data = TrainingData(x, random.integers(0, 3, 64), TrainingSettings(batch=16), 0)
    return StepContext(data, lambda: None)


def trained(text: str, model: Any) -> State:
    step = parse_recipe(text).steps[0]
    assert isinstance(step, TrainingStep)
    return step.train(State(model), context())


def test_pruning_and_sharing_reach_every_kind_of_layer() -> None:
    pruned = trained("prune(0.5, scope=layer, epochs=1)", sequences())
    zeros = pruned.findings["zeros_by_layer"]
    assert set(zeros) == {
        "words/embeddings",
        *(f"{way}_lstm/lstm_cell{part}" for way in ("forward", "backward") for part in PARTS),
        *(f"attention/{part}" for part in ("query", "key", "value", "attention_output")),
        *(f"one/gru_cell{part}" for part in PARTS),
        "out",
    }
    assert all(share == pytest.approx(0.5, abs=0.02) for share in zeros.values())
    assert pruned.findings["zeros_of_all_weights"] > 0.45
    shared = trained("cluster(4, epochs=1)", sequences())
    assert shared.findings["shared_of_all_weights"] > 0.9
    assert max(shared.findings["values_by_layer"].values()) <= 4


def test_training_for_integers_rounds_them_too() -> None:
    rounded = trained("quantization_aware(1) → int8", sequences())
    assert rounded.findings["rounded_of_all_weights"] > 0.9


def test_blocks_lie_in_the_matrix_that_a_projection_is_in_the_file() -> None:
    pruned = trained("prune(0.5, pattern='1x4', schedule=once, epochs=0)", sequences())
    query = next(k for k in kernels_of(pruned.model) if k.name == "attention/query")
    assert query.matrix == (16, 16)
    zero = query.variable.numpy().reshape(4, 4, 16) == 0
    assert set(zero.sum(axis=1).ravel()) == {0, 4}
    assert any("words/embeddings" in warning for warning in pruned.warnings)


def test_low_rank_splits_embeddings_attention_and_recurrent_layers() -> None:
    model = sequences(padded=False)
    split = trained("low_rank(rank=3, epochs=0)", model)
    projections = {f"attention/{name}" for name in ("query", "key", "value", "output")}
    assert set(split.findings["ranks"]) == {"words", "both", "one", *projections}
    assert split.model.count_params() < model.count_params()


def test_a_step_that_reaches_next_to_nothing_names_the_layers_that_it_cannot_change() -> None:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((64, 64, 4)),
            layers.DepthwiseConv2D(9, depth_multiplier=16, name="wide"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, name="out"),
        ]
    )
    for text in ("prune(0.5, schedule=once, epochs=0)", "cluster(4, epochs=0)"):
        with pytest.raises(StepError, match=r"less than a twentieth: .*wide \(DepthwiseConv2D"):
            trained(text, model)


def test_low_rank_that_saves_next_to_nothing_is_an_error() -> None:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 64)),
            layers.Conv2D(64, 3, name="wide"),
            layers.Conv2D(64, 1, name="point"),
        ]
    )
    with pytest.raises(StepError, match=r"next to nothing.*point.*wide \(Conv2D"):
        trained("low_rank(rank=31, epochs=0)", model)


def test_zeros_of_a_recurrent_layer_are_found_in_the_file(tmp_path: Path) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    lstm = layers.LSTM(8)
    model = keras.Sequential(
        [keras.Input((6,), dtype="int32"), layers.Embedding(20, 4), lstm, layers.Dense(3)]
    )
    kernel = lstm.cell.recurrent_kernel
    kernel.assign(np.zeros(kernel.shape))
    content = convert_keras(model, tmp_path)
    _, outside = Runner(content).zeros()
    zeros, inside = zeros_of_loops(content)
    assert zeros == 8 * 4 * 8
    assert outside + inside == sum(k.variable.numpy().size for k in kernels_of(model))


def test_a_model_with_a_call_of_its_own_is_refused_by_name() -> None:
    """As one layer, which is what a model of a user's class is converted as."""
    import keras
    from keras import layers

    class Net(keras.Model):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.words = layers.Embedding(60, 8)
            self.dense = layers.Dense(3, activation="softmax")

        def call(self, x: Any) -> Any:
            return self.dense(keras.ops.mean(self.words(x), axis=1))

    tokens = keras.Input((12,), dtype="int32")
    model = keras.Model(tokens, Net(name="mine")(tokens))
    for text, reason in {
        "fine_tune(1)": r"Net has a call\(\) of its own: to be trained",
        "quantization_aware(1) → int8": r"Net has a call\(\) of its own: to be trained",
        "prune_channels(0.5, epochs=0)": r"Net has a call\(\) of its own, in which",
        "low_rank(0.5, epochs=0)": "split nothing",
    }.items():
        with pytest.raises(StepError, match=reason):
            trained(text, model)
