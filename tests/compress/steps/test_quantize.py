"""Quantizers on a small .tflite, without TensorFlow, but for models with several inputs."""

from __future__ import annotations

import lzma
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.checks import check
from mobilebench.compress.quantizer import observe, scheme
from mobilebench.compress.step import QuantizingStep
from mobilebench.compress.steps.cluster import share
from mobilebench.compress.steps.quantize import (
    DynamicInt4,
    DynamicInt8,
    Float16,
    Int8,
    Int16x8,
    WeightOnlyInt4,
    WeightOnlyInt8,
)
from mobilebench.errors import StepError
from mobilebench.models.datasets import load_dataset, noise
from mobilebench.models.similarity import signal_to_noise
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.graph import Tensor, parse
from mobilebench.tflite.interpreter import Runner

from tests.support.models import MODELS


@pytest.fixture
def samples() -> list[Any]:
    return list(noise((32, 8, 8, 1), seed=3))


def noise_of(content: bytes, wanted: bytes) -> float:
    """The signal-to-noise ratio on samples that nothing was calibrated with."""
    fresh = list(noise((32, 8, 8, 1), seed=4))
    return signal_to_noise(Runner(wanted).run(fresh), Runner(content).run(fresh))


@pytest.mark.parametrize(
    ("step", "decibels", "types"),
    [
        (Float16(), 55, {"FLOAT16": 3}),
        (DynamicInt8(), 35, {"INT8": 3}),
        (DynamicInt8(algorithm="octav"), 35, {"INT8": 3}),
        (DynamicInt8(algorithm="gptq"), 35, {"INT8": 3}),
        (DynamicInt4(), 15, {"INT4": 2, "INT8": 1}),
        (DynamicInt4(convolution_bits=8), 15, {"INT4": 1, "INT8": 2}),
        (WeightOnlyInt8(), 35, {"INT8": 3}),
        (WeightOnlyInt4(algorithm="mse"), 12, {"INT4": 2, "INT8": 1}),
        (Int8(), 30, {"INT8": 3}),
        (Int8(algorithm="mse"), 25, {"INT8": 3}),
        (Int8(weight_bits=4), 12, {"INT4": 2, "INT8": 1}),
        (Int8(weight_bits=4, convolution_bits=8), 12, {"INT4": 1, "INT8": 2}),
        (Int16x8(), 35, {"INT8": 3}),
    ],
    ids=lambda value: value.text() if isinstance(value, QuantizingStep) else "",
)
def test_outputs_stay_within_their_error(
    step: QuantizingStep, decibels: float, types: Any, model_file: Path, samples: list[Any]
) -> None:
    content = model_file.read_bytes()
    made = step.quantize(content, samples)
    assert noise_of(made.content, content) > decibels
    assert made.findings["layers_by_type"] == types
    assert not any("float32" in warning for warning in made.warnings)
    runner = Runner(made.content)
    assert runner.inputs[0].dtype == runner.outputs[0].dtype == np.float32
    assert step.quantize(content, samples).content == made.content, "it is deterministic"


def test_extremes_beat_averages(model_file: Path, samples: list[Any]) -> None:
    content = model_file.read_bytes()
    extremes, average = (
        noise_of(Int8(ranges=ranges).quantize(content, samples).content, content)
        for ranges in ("extremes", "average")
    )
    assert extremes > average


def test_fragile_layers_stay_wider(model_file: Path, samples: list[Any]) -> None:
    content = model_file.read_bytes()
    seen: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        seen.append((done, total))

    narrow = Int8(weight_bits=4).quantize(content, samples, report)
    *calibration, rest = seen
    assert calibration == [(done, len(samples)) for done in range(len(samples))]
    assert rest == (0, 0), "quantizing itself reports no progress"
    seen.clear()
    step = Int8(weight_bits=4, min_snr=25)
    made = step.quantize(content, samples, report)
    assert made.findings["snr_db"] >= 25
    assert made.findings["kept_as"] == "8-bit weights"
    assert 1 <= len(made.findings["kept_wider"]) < len(made.findings["sensitivity_db"])
    fragile = list(made.findings["sensitivity_db"])[: len(made.findings["kept_wider"])]
    assert made.findings["kept_wider"] == fragile
    assert list(made.findings["sensitivity_db"].values()) == sorted(
        made.findings["sensitivity_db"].values()
    )
    assert noise_of(made.content, content) > noise_of(narrow.content, content)
    assert seen[: len(samples)] == [(done, len(samples)) for done in range(len(samples))]
    trials = seen[len(samples) :]
    assert trials == sorted(trials)
    assert len(trials) > 3
    better = Int8(min_snr=40).quantize(content, samples)
    assert better.findings["kept_as"] == "float32"
    assert better.findings["layers_by_type"]["FLOAT32"] >= 1
    assert not any("want of a scheme" in warning for warning in better.warnings)
    all_wider = Int8(weight_bits=4, min_snr=35).quantize(content, samples)
    assert "min_snr=35 leaves no layer with 4-bit weights" in all_wider.warnings
    easy = Int8(min_snr=10).quantize(content, samples)
    assert easy.content == Int8().quantize(content, samples).content
    assert "kept_wider" not in easy.findings
    with pytest.raises(StepError, match="100 dB only if no layer is quantized"):
        Int8(min_snr=100).quantize(content, samples)


def test_layers_stay_float_by_name(model_file: Path, samples: list[Any]) -> None:
    content = model_file.read_bytes()
    first = next(layer for layer in scheme.layers_of(content) if layer.kind == "CONV_2D")
    name = scheme.short(first.name)
    for step in (Int8, DynamicInt8, WeightOnlyInt8, DynamicInt4):
        made = step(keep_float=f"{name}, {name}").quantize(content, samples)
        types = {layer.kind: layer.stored for layer in scheme.layers_of(made.content)}
        assert types["CONV_2D"] == "FLOAT32"
        assert types["FULLY_CONNECTED"] in ("INT8", "INT4")
        assert not any("float32" in warning for warning in made.warnings), "it was asked for"
    reached = Int8(keep_float=name, min_snr=1).quantize(content, samples).findings["snr_db"]
    mixed = Int8(keep_float=name, min_snr=reached + 1).quantize(content, samples)
    assert mixed.findings["snr_db"] >= reached + 1
    assert name not in mixed.findings["sensitivity_db"]
    with pytest.raises(StepError, match="keep_float='stem' is in no layer's name; those with wei"):
        Int8(keep_float="stem").quantize(content, samples)
    with pytest.raises(StepError, match="is in every layer's name, so none would be quantized"):
        Int8(keep_float=",".join(x.name for x in scheme.layers_of(content) if x.stored)).quantize(
            content, samples
        )


def test_blocks_are_for_rows_that_divide(model_file: Path) -> None:
    content = model_file.read_bytes()
    (dense,) = [x for x in scheme.layers_of(content) if x.kind == "FULLY_CONNECTED"]
    assert dense.shape == (10, 64)
    made = DynamicInt4(block=32).quantize(content).content
    kernels = [
        tensor
        for operator in parse(made, "made").operators
        for tensor in operator.inputs
        if tensor is not None and tensor.blockwise
    ]
    assert [(kernel.shape, kernel.type) for kernel in kernels] == [((10, 64), "INT4")]
    assert noise_of(made, content) > noise_of(DynamicInt4().quantize(content).content, content) - 3
    with pytest.raises(StepError, match="multiple of 128 weights, and those of the model have 64"):
        DynamicInt4(block=128).quantize(content)


def clustered(content: bytes) -> bytes:
    """The file with each kernel's weights replaced by the nearest of eight values."""
    model = load(content)
    for kernel in kernels(content):
        values = kernel.values()
        assert values is not None
        shared = share(values.reshape(kernel.shape), 8).values()
        model.buffers[kernel.buffer].data = np.frombuffer(shared.tobytes(), np.uint8)
    return dump(model)


def kernels(content: bytes) -> list[Tensor]:
    """The kernels of Dense and convolution, which are what ``cluster`` shares."""
    return [
        tensor
        for operator in parse(content, "the file").operators
        if operator.kind in ("FULLY_CONNECTED", "CONV_2D")
        for tensor in operator.inputs[1:2]
        if tensor is not None and tensor.content is not None
    ]


@pytest.mark.parametrize(
    "step",
    [DynamicInt8(), DynamicInt8(algorithm="octav"), Int8(), Int16x8(), Int8(min_snr=30)],
    ids=lambda step: step.text(),
)
def test_weights_that_share_a_value_still_do_when_quantized(
    step: QuantizingStep, model_file: Path, samples: list[Any]
) -> None:
    content = clustered(model_file.read_bytes())
    made = step.quantize(content, samples).content
    shared = [(kernel.scales, len(np.unique(kernel.values()))) for kernel in kernels(made)]
    assert shared == [(1, 8), (1, 8)]
    assert noise_of(made, content) > 25
    apart = step.quantize(model_file.read_bytes(), samples).content
    assert all(kernel.scales > 1 for kernel in kernels(apart))
    packed = [len(lzma.compress(file)) for file in (made, apart)]
    assert packed[0] < packed[1] - 200


def test_few_weights_are_not_taken_for_shared_ones(model_file: Path) -> None:
    content = model_file.read_bytes()
    assert not any(layer.sharing for layer in scheme.layers_of(content))
    assert sum(layer.sharing for layer in scheme.layers_of(clustered(content))) == 2
    # In 4 bits one scale for a whole layer would lose its small values.
    assert all(
        kernel.scales > 1 for kernel in kernels(DynamicInt4().quantize(clustered(content)).content)
    )


def test_old_files_without_a_signature(model_file: Path, samples: list[Any]) -> None:
    model = load(model_file.read_bytes())
    model.signatureDefs = None
    content = dump(model)
    assert Runner(content).signatures == {}
    made = Int8().quantize(content, samples)
    assert noise_of(made.content, model_file.read_bytes()) > 30


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (lambda _x: [], "no samples to calibrate with"),
        (lambda x: [x[0]] * 5, "the 5 calibration samples are all the same"),
        (lambda x: [0 * x[0]], "has the same value everywhere"),
        (lambda x: [x[0], x[1] * np.nan], "NaN or infinite values"),
    ],
)
def test_samples_that_tell_nothing(
    chosen: Any, sentence: str, model_file: Path, samples: list[Any]
) -> None:
    with pytest.raises(StepError, match=sentence):
        Int8().quantize(model_file.read_bytes(), chosen(samples))


def test_a_model_that_goes_wrong_by_itself(model_file: Path, samples: list[Any]) -> None:
    model = load(model_file.read_bytes())
    (dense,) = [t for t in model.subgraphs[0].tensors if tuple(t.shape) == (10, 64)]
    data = np.asarray(model.buffers[dense.buffer].data).view(np.float32).copy()
    data[3] = np.nan
    model.buffers[dense.buffer].data = data.view(np.uint8)
    with pytest.raises(StepError, match="answers with NaN or infinity on calibration sample 0"):
        Int8().quantize(dump(model), samples)


def test_too_few_samples_are_told() -> None:
    assert observe.check_samples(list(noise((3, 4), 0)), 3) == ()
    (warning,) = observe.check_samples(list(noise((3, 4), 0)), 100)
    assert warning == "calibrated with the 3 samples there are instead of 100"


@pytest.mark.parametrize("step", [Float16(), DynamicInt8(), Int8()], ids=lambda step: step.name)
def test_a_quantized_file_is_refused(step: QuantizingStep, samples: list[Any]) -> None:
    content = (MODELS / "small_int8.tflite").read_bytes()
    with pytest.raises(StepError, match="quantized already: 3 of its 3 layers with weights hold"):
        step.quantize(content, samples)


def test_nothing_to_quantize() -> None:
    content = (MODELS / "not_a_number.tflite").read_bytes()
    with pytest.raises(StepError, match="there is nothing to quantize"):
        DynamicInt8().quantize(content)


def test_what_a_library_leaves_undone_is_an_error(model_file: Path) -> None:
    with pytest.raises(StepError, match=r"nothing was quantized: .* CONV_2D"):
        scheme.count_weights(model_file.read_bytes())


def test_quantizing_a_file_imports_no_tensorflow(model_file: Path) -> None:
    code = (
        "import sys\n"
        "from mobilebench.compress.steps.quantize import Int8\n"
        "from mobilebench.models.datasets import noise\n"
        f"content = open({str(model_file)!r}, 'rb').read()\n"
        "Int8(min_snr=30).quantize(content, list(noise((8, 8, 8, 1), 0)), print)\n"
        "print('tensorflow' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "False"


@pytest.mark.tensorflow
def test_trained_models_keep_their_accuracy(digits: Any) -> None:
    content = digits.tflite.read_bytes()
    data = load_dataset(str(digits.data))
    chosen = data.calibration_samples(32, 0)
    assert chosen is not None
    assert data.evaluation is not None
    x, y = data.evaluation.x, data.evaluation.y
    samples = list(chosen)

    def accuracy(content: bytes) -> float:
        return float((Runner(content).run(list(x)).argmax(axis=1) == y).mean())

    wanted = accuracy(content)
    assert wanted > 0.85
    before = check.examine(content, samples)
    for step, part in (
        (Float16(), 0.55),
        (DynamicInt8(), 0.35),
        (DynamicInt4(block=32), 0.25),
        (WeightOnlyInt8(), 0.35),
        (Int8(samples=32), 0.35),
        (Int8(samples=32, weight_bits=4), 0.25),
    ):
        smaller = step.quantize(content, samples).content
        assert len(smaller) < part * len(content), step
        assert accuracy(smaller) == pytest.approx(wanted, abs=0.02), step
        after = check.examine(smaller, samples)
        assert check.compare_quantized(before, after)[1] == ()
        assert after.delegation["left"] == {}, step


@pytest.mark.tensorflow
def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    import keras
    from mobilebench.compress.pipeline.convert import _convert

    first, second = keras.Input((8, 8, 2), name="image"), keras.Input((5,), name="numbers")
    seen = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(first))
    both = keras.layers.Concatenate()([seen, keras.layers.Dense(6)(second)])
    model = keras.Model(
        [first, second],
        [keras.layers.Dense(3, name="one")(both), keras.layers.Dense(2, name="two")(both)],
    )
    keras.utils.set_random_seed(0)
    model.export(
        tmp_path / "saved",
        verbose=False,
        input_signature=[
            [
                keras.InputSpec(shape=(1, 8, 8, 2), dtype="float32", name="image"),
                keras.InputSpec(shape=(1, 5), dtype="float32", name="numbers"),
            ]
        ],
    )
    content = _convert(str(tmp_path / "saved"))
    runner = Runner(content)
    samples = runner.noise(32, seed=0)
    wanted = runner.run(samples)
    for step in (Int8(samples=32), Int8(min_snr=45), DynamicInt8(), Float16()):
        made = step.quantize(content, samples)
        found = Runner(made.content).run(samples)
        assert signal_to_noise(wanted, found) > 25, step
    with pytest.raises(StepError, match="no values for input 'numbers'"):
        Int8(samples=32).quantize(content, [{"image": s["image"]} for s in samples])
    still = [{**s, "image": samples[0]["image"]} for s in samples]
    assert observe.check_samples(still, 32) == (
        "input 'image' is the same in all calibration samples",
    )
    with pytest.raises(StepError, match="the 5 calibration samples are all the same"):
        observe.check_samples([samples[0]] * 5, 5)
