"""Outputs that are used within the model, too, as static integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.quantizer.outputs import with_integer_uses
from mobilebench.compress.step import QuantizingStep
from mobilebench.compress.steps.quantize import DynamicInt8, Int8, Int16x8
from mobilebench.models.datasets import noise
from mobilebench.tflite.file import dump, load, operator_code
from mobilebench.tflite.interpreter import Runner

#: As the schema numbers them.
LOGISTIC, TANH, SOFTMAX = 14, 28, 25


def with_scores(content: bytes, ending: int) -> bytes:
    """The file with another operator at its end, and what that takes as a second output."""
    model = load(content)
    graph = model.subgraphs[0]
    last = graph.operators[-1]
    if ending != SOFTMAX:
        last.opcodeIndex = operator_code(model, ending, 1)
        last.builtinOptions, last.builtinOptionsType = None, 0
    graph.outputs = [int(last.outputs[0]), int(last.inputs[0])]
    model.signatureDefs = []
    return dump(model)


@pytest.mark.parametrize("ending", [LOGISTIC, TANH, SOFTMAX])
@pytest.mark.parametrize("step", [Int8(), Int16x8(), DynamicInt8()], ids=lambda step: step.text())
def test_what_follows_such_an_output_goes_on_from_it(
    step: QuantizingStep, ending: int, model_file: Path
) -> None:
    content = with_scores(model_file.read_bytes(), ending)
    samples: list[Any] = list(noise((32, 8, 8, 1), seed=3))
    made = step.quantize(content, samples).content
    wanted = Runner(content).run(samples)
    for delegate in (True, False):
        found = Runner(made, delegate=delegate).run(samples)
        assert np.abs(found - wanted).max() < 0.1 * np.ptp(wanted)


def test_a_file_without_one_is_left_as_it_is(model_file: Path) -> None:
    content = model_file.read_bytes()
    assert with_integer_uses(content) == content
    made = Int8().quantize(content, list(noise((32, 8, 8, 1), seed=3))).content
    assert with_integer_uses(made) == made
