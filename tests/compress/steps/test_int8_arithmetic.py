"""Which operators int8 leaves in float, and integer inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.pipeline.convert import convert_keras
from mobilebench.compress.quantizer.slow import slow_on_integers
from mobilebench.compress.steps.quantize import Int8
from mobilebench.tflite.graph import parse
from mobilebench.tflite.interpreter import Runner

pytestmark = pytest.mark.tensorflow


def network() -> Any:
    """A residual block of convolutions, and one of attention behind it."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 8))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.Add()([x, layers.Conv2D(8, 3, padding="same", activation="relu")(x)])
    x = layers.Conv2D(16, 3, padding="same")(x)
    x = layers.Activation("hard_silu")(x)
    x = layers.Dense(16)(layers.Reshape((64, 16))(x))
    x = layers.MultiHeadAttention(2, 8)(x, x)
    x = layers.Dense(16)(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(4, activation="softmax")(layers.Flatten()(x)))


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return convert_keras(network(), tmp_path_factory.mktemp("scratch"))


def types_of(content: bytes) -> dict[str, set[str]]:
    """For each kind of operator: the types of its outputs."""
    found: dict[str, set[str]] = {}
    for operator in parse(content, "it").operators:
        found.setdefault(operator.kind, set()).update(t.type for t in operator.outputs)
    return found


def test_what_is_slower_on_integers_stays_float_and_the_rest_does_not(content: bytes) -> None:
    samples = Runner(content).noise(8, 0)
    fast = types_of(Int8().quantize(content, samples).content)
    assert fast["BATCH_MATMUL"] == fast["HARD_SWISH"] == fast["RSQRT"] == {"FLOAT32"}
    assert fast["CONV_2D"] == fast["FULLY_CONNECTED"] == {"INT8"}
    assert "INT8" in fast["ADD"]  # of the residual block
    integer = types_of(Int8(arithmetic="integer").quantize(content, samples).content)
    assert integer["BATCH_MATMUL"] == integer["HARD_SWISH"] == {"INT8"}


def test_a_plain_network_has_nothing_to_leave(digits: Any) -> None:
    assert slow_on_integers(Path(digits.tflite).read_bytes()) == ()


def test_inputs_and_outputs_can_be_integers(content: bytes) -> None:
    runner = Runner(content)
    samples = runner.noise(8, 0)
    made = Runner(Int8(io="int8").quantize(content, samples).content)
    assert {tensor.dtype for tensor in (*made.inputs, *made.outputs)} == {np.int8}
    found, wanted = made.run(samples), runner.run(samples)
    assert (found.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.8
