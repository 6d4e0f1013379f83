"""Embeddings, which the converter writes as GATHER, in few bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.checks import check
from mobilebench.compress.quantizer.embedding import with_lookups
from mobilebench.compress.quantizer.scheme import layers_of
from mobilebench.compress.step import QuantizingStep
from mobilebench.compress.steps.quantize import (
    DynamicInt4,
    DynamicInt8,
    Float16,
    Int8,
    WeightOnlyInt4,
    WeightOnlyInt8,
)
from mobilebench.tflite.interpreter import Runner

WORDS, LENGTH = 500, 12


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import keras
    from mobilebench.compress.pipeline.convert import convert_keras

    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = keras.Input((LENGTH,))
    x = layers.Embedding(WORDS, 32, embeddings_initializer="glorot_uniform")(inputs)
    x = layers.GlobalMaxPooling1D()(layers.Conv1D(24, 3, activation="relu")(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    folder: Path = tmp_path_factory.mktemp("embedding")
    return convert_keras(model, folder)


@pytest.fixture
def texts() -> list[Any]:
    return list(np.random.default_rng(1).integers(0, WORDS, (40, LENGTH)).astype(np.float32))


def kinds(content: bytes) -> list[str]:
    return [layer.kind for layer in layers_of(content)]


def test_a_lookup_gives_the_same_rows(content: bytes, texts: list[Any]) -> None:
    assert kinds(content).count("GATHER") == 1
    changed = with_lookups(content)
    assert "GATHER" not in kinds(changed)
    assert kinds(changed).count("EMBEDDING_LOOKUP") == 1
    assert (Runner(changed).run(texts) == Runner(content).run(texts)).all()
    assert with_lookups(changed) == changed, "there is nothing left to do"


@pytest.mark.parametrize(
    ("step", "stored", "smaller"),
    [
        (Float16(), "FLOAT16", 1.8),
        (DynamicInt8(), "INT8", 2.5),
        (WeightOnlyInt8(), "INT8", 2.5),
        (DynamicInt4(), "INT4", 3.2),
        (WeightOnlyInt4(), "INT4", 3.2),
        (Int8(), "INT8", 3.0),
    ],
    ids=lambda value: value.text() if isinstance(value, QuantizingStep) else "",
)
def test_every_scheme_makes_the_table_small(
    step: QuantizingStep, stored: str, smaller: float, content: bytes, texts: list[Any]
) -> None:
    made = step.quantize(content, texts)
    assert set(made.findings["layers_by_type"]) == {stored}
    assert not made.warnings or step == Int8()
    assert len(content) / len(made.content) > smaller
    before, after = check.examine(content, texts), check.examine(made.content, texts)
    assert np.abs(after.outputs - before.outputs).max() < (0.02 if stored != "INT4" else 0.2)
    lost = check.compare_delegation(before, after)
    assert not any("EMBEDDING_LOOKUP" in warning for warning in lost)


def test_a_model_without_a_table_stays_as_it_is(model_file: Path) -> None:
    assert with_lookups(model_file.read_bytes()) == model_file.read_bytes()
