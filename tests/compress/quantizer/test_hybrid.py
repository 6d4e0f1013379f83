"""Dense layers with float activations and 8-bit weights: what every runtime has to read alike."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.quantizer import hybrid, scheme
from mobilebench.compress.step import QuantizingStep
from mobilebench.compress.steps.quantize import (
    DynamicInt4,
    DynamicInt8,
    Float16,
    Int8,
    Int16x8,
    WeightOnlyInt8,
)
from mobilebench.models.datasets import load_dataset, noise
from mobilebench.tflite.file import builtin, dump, load
from mobilebench.tflite.graph import parse
from mobilebench.tflite.interpreter import Runner

from tests.support.compress import compress, spec_of

FULLY_CONNECTED, FLOAT32, INT8 = 9, 0, 9
#: What ``dense_layers`` says of a layer.
CURED, SPARSE = (True, True, 9), (True, True, 8)
FLOAT, ONE_SCALE = (False, False, 1), (False, False, 1)


def dense_layers(content: bytes) -> list[tuple[bool, bool, int]]:
    """Of each Dense layer: is it one of those, are its inputs asymmetric, and its version."""
    model = load(content)
    found = []
    for graph in model.subgraphs:
        for operator in graph.operators:
            if builtin(model, operator) != FULLY_CONNECTED:
                continue
            activations, kernel = (graph.tensors[int(i)] for i in operator.inputs[:2])
            scales = None if kernel.quantization is None else kernel.quantization.scale
            is_hybrid = (
                activations.type == FLOAT32
                and kernel.type == INT8
                and scales is not None
                and len(scales) > 1
                and model.buffers[kernel.buffer].data is not None
            )
            asymmetric = bool(operator.builtinOptions.asymmetricQuantizeInputs)
            version = int(model.operatorCodes[operator.opcodeIndex].version)
            found.append((is_hybrid, asymmetric, version))
    return found


def uncured(monkeypatch: pytest.MonkeyPatch, step: QuantizingStep, *given: Any) -> bytes:
    """The file as litert-quantizer writes it."""
    with monkeypatch.context() as patch:
        patch.setattr(scheme, "with_asymmetric_inputs", lambda content: content)
        return step.quantize(*given).content


def apart(one: bytes, other: bytes, samples: list[Any], *, delegate: bool) -> float:
    """The largest difference of two files' answers, as a share of the largest answer."""
    a, b = (Runner(content, delegate=delegate).run(samples) for content in (one, other))
    return float(np.abs(a - b).max() / np.abs(a).max())


@pytest.fixture
def samples() -> list[Any]:
    return list(noise((32, 8, 8, 1), seed=3))


@pytest.mark.parametrize(
    "step",
    [
        DynamicInt8(),
        DynamicInt8(algorithm="octav"),
        DynamicInt8(algorithm="gptq"),
        DynamicInt8(min_snr=20),
        DynamicInt8(keep_float="conv"),
        DynamicInt4(min_snr=44),
    ],
    ids=lambda step: step.text(),
)
def test_their_inputs_are_asymmetric(
    step: QuantizingStep,
    model_file: Path,
    samples: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = model_file.read_bytes()
    made = step.quantize(content, samples).content
    assert dense_layers(made) == [CURED]
    before = uncured(monkeypatch, step, content, samples)
    assert dense_layers(before) == [(True, False, 1)]
    fresh = list(noise((32, 8, 8, 1), seed=4))
    assert apart(before, made, fresh, delegate=True) < 1e-5
    assert apart(before, made, fresh, delegate=False) < 0.02, "rounding, and nothing more"
    assert abs(len(made) - len(before)) < 1024


@pytest.mark.parametrize(
    "step",
    [Float16(), WeightOnlyInt8(), DynamicInt4(), Int8(), Int16x8()],
    ids=lambda step: step.text(),
)
def test_other_layers_are_left_alone(
    step: QuantizingStep,
    model_file: Path,
    samples: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = model_file.read_bytes()
    made = step.quantize(content, samples).content
    assert made == uncured(monkeypatch, step, content, samples)
    assert not any(needs or asymmetric for needs, asymmetric, _ in dense_layers(made))


def test_every_subgraph_is_read_and_options_may_be_missing(model_file: Path) -> None:
    model = load(DynamicInt8().quantize(model_file.read_bytes()).content)
    for code in model.operatorCodes:
        code.version = 1
    model.subgraphs.append(copy.deepcopy(model.subgraphs[0]))
    for graph in model.subgraphs:
        for operator in graph.operators:
            if builtin(model, operator) == FULLY_CONNECTED:
                operator.builtinOptions, operator.builtinOptionsType = None, 0
    made = hybrid.with_asymmetric_inputs(dump(model))
    assert dense_layers(made) == [CURED, CURED]
    assert hybrid.with_asymmetric_inputs(made) == made


RECIPES = {
    "dynamic_int8": [CURED, CURED],
    "dynamic_int8(keep_float='digit_1')": [CURED, FLOAT],
    "cluster(16, epochs=1) → dynamic_int8(algorithm=gptq)": [ONE_SCALE, ONE_SCALE],
    "low_rank(0.8, epochs=1) → dynamic_int8": [CURED] * 4,
    "prune(0.95, pattern='1x16', epochs=1) → dynamic_int8": [CURED, CURED],
    "prune(0.95, pattern='1x16', epochs=1) → dynamic_int8 → sparse": [SPARSE, CURED],
    "quantization_aware(epochs=1) → dynamic_int8": [CURED, CURED],
}


@pytest.mark.tensorflow
def test_after_any_step_the_delegate_changes_no_answer(digits: Any, tmp_path: Path) -> None:
    """Only with asymmetric inputs do the runtime's own kernels round as XNNPACK does."""
    outcome = compress(spec_of(digits), *RECIPES, cache=tmp_path)
    assert not outcome.failures, outcome.failures
    data = load_dataset(str(digits.data)).evaluation
    assert data is not None
    x, y = list(data.x), data.y

    def accuracy(answers: Any) -> float:
        return float((answers.argmax(axis=1) == y).mean())

    for artifact, wanted in zip(outcome.artifacts, RECIPES.values(), strict=True):
        content = artifact.path.read_bytes()
        assert dense_layers(content) == wanted, artifact.recipe
        with_it, without = (Runner(content, delegate=d).run(x) for d in (True, False))
        if ONE_SCALE not in wanted:
            assert np.abs(with_it - without).max() < 1e-4, artifact.recipe
        assert accuracy(with_it) == pytest.approx(accuracy(without), abs=0.01), artifact.recipe


@pytest.mark.tensorflow
@pytest.mark.parametrize("step", [DynamicInt8(), WeightOnlyInt8()], ids=lambda step: step.text())
def test_tables_and_matrices_have_one_scale(step: QuantizingStep, tmp_path: Path) -> None:
    """Older runtimes read one, and answer with zeros where there are several."""
    import keras
    from mobilebench.compress.pipeline.convert import convert_keras

    keras.utils.set_random_seed(0)
    rows = keras.Input((4,))
    table = keras.layers.Embedding(30, 16)(rows)
    matrices = keras.layers.EinsumDense("abc,bcd->abd", output_shape=(4, 8))(table)
    content = convert_keras(keras.Model(rows, matrices), tmp_path)
    made = step.quantize(content).content
    scales = {
        operator.kind: tensor.scales
        for operator in parse(made, "the model").operators
        if operator.kind in ("EMBEDDING_LOOKUP", "BATCH_MATMUL")
        for tensor in operator.inputs
        if tensor is not None and tensor.type == "INT8"
    }
    assert scales["EMBEDDING_LOOKUP"] == 1
    assert scales.get("BATCH_MATMUL", 1) == 1
    assert ("BATCH_MATMUL" in scales) == isinstance(step, DynamicInt8)
    x = [np.float32(row) for row in np.random.default_rng(0).integers(0, 30, (8, 4))]
    assert apart(content, made, x, delegate=True) < 0.03
    assert apart(content, made, x, delegate=False) < 0.03
