"""What a Keras model answers, that its conversion is held against."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.pipeline import convert

pytestmark = pytest.mark.tensorflow


def ends(inputs: tuple[int | None, ...], outputs: tuple[int | None, ...]) -> Any:
    return SimpleNamespace(
        inputs=[SimpleNamespace(shape=inputs)], outputs=[SimpleNamespace(shape=outputs)]
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "rows"),
    [
        ((None, 224, 224, 3), (None, 1000), 3),
        ((None, 784), (None, 10), 668),
        ((None, 16), (None, 512, 30_000), 1),
        ((None, None, 4), (None,), 131_072),
    ],
)
def test_large_samples_are_answered_a_few_at_a_time(
    inputs: tuple[int | None, ...], outputs: tuple[int | None, ...], rows: int
) -> None:
    assert convert._rows_at_once(ends(inputs, outputs)) == rows


def test_answers_are_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    a, b = keras.Input((3,), name="a"), keras.Input((2, 2), name="b")
    both = keras.layers.Concatenate()([a, keras.layers.Flatten()(b)])
    model = keras.Model([a, b], [keras.layers.Dense(2)(both), both])
    draw = np.random.default_rng(0)
    samples = [
        {"a": draw.random(3, np.float32), "b": draw.random((2, 2), np.float32)} for _ in range(7)
    ]
    whole = convert.answers_of(model, samples)
    monkeypatch.setattr(convert, "_rows_at_once", lambda _model: 3)
    pieces = convert.answers_of(model, samples)
    assert {name: values.shape for name, values in pieces.items()} == {
        "output_0": (7, 2),
        "output_1": (7, 7),
    }
    for name, values in whole.items():
        np.testing.assert_allclose(pieces[name], values, rtol=1e-6)
