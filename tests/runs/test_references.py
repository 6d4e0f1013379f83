"""Reference answers, and what a rounding of the inputs does to them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.step import QuantizingStep
from mobilebench.compress.steps.quantize import DynamicInt4, Int8, WeightOnlyInt4
from mobilebench.devices.local.device import LocalDevice
from mobilebench.models.datasets import noise
from mobilebench.records.interface import Quantization, TensorInfo
from mobilebench.runs import references
from mobilebench.runs.debug_samples import samples_for
from mobilebench.runs.references import Reference, moved, reference
from mobilebench.tflite import interface, precision
from mobilebench.tflite.file import builtin, dump, load
from mobilebench.tflite.graph import parse
from mobilebench.tflite.interpreter import Runner

from tests.support.models import MODELS

FULLY_CONNECTED = 9
DRAWS = np.random.default_rng(5)


def made(name: str, folder: Path) -> Reference:
    return answered(MODELS / f"{name}.tflite", folder)


def answered(path: Path, folder: Path) -> Reference:
    content, name = path.read_bytes(), path.stem
    _, samples = samples_for(content, name, None, folder)
    return reference(
        LocalDevice("this machine", None, folder),
        "1",
        path,
        hashlib.sha256(content).hexdigest(),
        interface.read(content, name),
        samples,
        folder,
    )


def test_roundings_are_seen_of_quantized_files_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made("small_int8", tmp_path)
    (rounding,) = found.roundings
    assert 0 < rounding.snr_db < 60
    assert len(rounding.noise) == found.answers(0)[0].shape[-1]

    def run(*_: Any) -> None:
        raise AssertionError("it was run again")

    monkeypatch.setattr(LocalDevice, "run", run)
    (again,) = made("small_int8", tmp_path).roundings
    assert again.snr_db == rounding.snr_db
    assert (again.noise == rounding.noise).all()


def four_bits(step: QuantizingStep) -> bytes:
    """A network whose weights have outliers, which the step is to clip."""
    model = load((MODELS / "small.tflite").read_bytes())
    (graph,) = model.subgraphs
    (dense,) = (o for o in graph.operators if builtin(model, o) == FULLY_CONNECTED)
    kernel = graph.tensors[int(dense.inputs[1])]
    weights = np.random.default_rng(1).standard_t(4, tuple(kernel.shape)).astype(np.float32)
    model.buffers[kernel.buffer].data = weights.view(np.uint8).ravel()
    return step.quantize(dump(model), list(noise((8, 8, 8, 1), seed=3))).content


def test_the_lowest_weight_of_four_bits_has_right_reference_answers(tmp_path: Path) -> None:
    """LiteRT's plain kernel computes a Dense layer with a weight of -8 wrong."""
    file = tmp_path / "four.tflite"
    content = four_bits(DynamicInt4(algorithm="mse"))
    file.write_bytes(content)
    kernel = next(
        o for o in parse(content, "four").operators if o.kind == "FULLY_CONNECTED"
    ).inputs[1]
    assert kernel is not None
    values = kernel.values()
    assert values is not None
    assert values.min() == -8
    found = answered(file, tmp_path)
    _, samples = samples_for(content, "four", None, tmp_path)
    with samples.opened() as opened:
        rows = Runner(content).run(list(opened.inputs(0, found.count)["0"]))
    np.testing.assert_allclose(found.answers(0)[0], rows, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("step", "needs"),
    [
        (DynamicInt4(algorithm="mse"), True),
        (DynamicInt4(), False),
        (Int8(weight_bits=4, algorithm="mse"), False),
        (WeightOnlyInt4(algorithm="mse"), False),
    ],
    ids=lambda value: value.text() if isinstance(value, QuantizingStep) else str(value),
)
def test_only_weights_that_plain_kernels_get_wrong_need_xnnpack(
    step: QuantizingStep, needs: bool
) -> None:
    assert precision.needs_xnnpack(four_bits(step), "four") == needs


def test_answers_that_another_process_made_meanwhile_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made("small", tmp_path).files[0]
    before = file.stat().st_ino
    answers, is_whole = iter([False]), references._is_whole
    monkeypatch.setattr(
        references, "_is_whole", lambda found: next(answers, True) and is_whole(found)
    )
    assert made("small", tmp_path).files == (file,)
    assert file.stat().st_ino == before
    file.write_bytes(b"torn")
    assert made("small", tmp_path).answers(0)


def test_float32_needs_none(tmp_path: Path) -> None:
    assert made("small", tmp_path).roundings == ()


@pytest.mark.parametrize(
    ("array", "quantization"),
    [
        (DRAWS.normal(size=(4, 3, 2)).astype(np.float32), None),
        (DRAWS.normal(size=(4, 3, 2)).astype(np.float32), Quantization(0.01, 3)),
        (DRAWS.integers(-128, 128, (4, 6)).astype(np.int8), Quantization(0.01, 3)),
        (DRAWS.integers(0, 256, (4, 6)).astype(np.uint8), None),
    ],
)
def test_inputs_move_by_a_step_at_most(array: Any, quantization: Quantization | None) -> None:
    end = TensorInfo("x", (1, *array.shape[1:]), str(array.dtype), quantization)
    found = moved({"0": array}, [end], np.random.default_rng(0))
    assert found is not None
    assert (found["0"].dtype, found["0"].shape) == (array.dtype, array.shape)
    change = np.abs(found["0"].astype(np.float64) - array)
    step = 1.0
    if array.dtype.kind == "f":
        step = 0.01 if quantization else float(np.ptp(array)) / 255
    assert 0 < change.max() <= 1.01 * step


def test_names_of_something_stay() -> None:
    words = np.arange(8, dtype=np.int32).reshape(2, 4)
    pixels = np.full((2, 3), 7.0, np.float32)
    ends = [TensorInfo("words", (1, 4), "int32"), TensorInfo("pixels", (1, 3), "float32")]
    assert moved({"0": words}, ends, np.random.default_rng(0)) is None
    found = moved({"0": words, "1": pixels}, ends, np.random.default_rng(0))
    assert found is not None
    assert (found["0"] == words).all()
    assert (found["1"] != pixels).any()
