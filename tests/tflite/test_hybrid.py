"""Files whose Dense layers other runtimes misread, and where that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.compress.step import QuantizingStep
from mobilebench.compress.steps.quantize import DynamicInt4, DynamicInt8, Int8, WeightOnlyInt8
from mobilebench.models.datasets import noise
from mobilebench.runs import gate, pair
from mobilebench.runs.run import Quiet
from mobilebench.tflite import hybrid
from mobilebench.tflite.file import builtin, dump, load, operator_code

from tests.support.gates import QUIET
from tests.support.models import BASELINE
from tests.support.scripted_device import Open, ScriptedDevice
from tests.support.tflite_files import with_symmetric_inputs

WRONG = "TensorFlow Lite 2.16 on Arm computes wrong answers"


@pytest.fixture(scope="module")
def made() -> bytes:
    return DynamicInt8().quantize(BASELINE.read_bytes()).content


@pytest.fixture
def foreign(made: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "foreign.tflite"
    path.write_bytes(with_symmetric_inputs(made))
    return path


def test_a_layer_is_named_once(foreign: Path) -> None:
    (said,) = hybrid.warnings(foreign.read_bytes(), "foreign")
    assert said.startswith("FULLY_CONNECTED 'sequential")
    assert WRONG in said
    model = load(foreign.read_bytes())
    (dense,) = (op for op in model.subgraphs[0].operators if builtin(model, op) == 9)
    model.subgraphs[0].operators.append(dense)
    (said,) = hybrid.warnings(dump(model), "foreign")
    assert "' and 1 more: " in said


@pytest.mark.parametrize("step", [DynamicInt8(), DynamicInt4(), WeightOnlyInt8(), Int8()])
def test_of_files_made_here_nothing_is_said(step: QuantizingStep) -> None:
    content = BASELINE.read_bytes()
    assert hybrid.warnings(content, "float") == ()
    made = step.quantize(content, list(noise((8, 8, 8, 1), seed=0))).content
    assert hybrid.warnings(made, "made") == ()


def test_a_version_that_older_runtimes_refuse_is_none_that_they_misread(foreign: Path) -> None:
    model = load(foreign.read_bytes())
    for operator in model.subgraphs[0].operators:
        if builtin(model, operator) == 9:
            operator.opcodeIndex = operator_code(model, 9, 12)
    assert hybrid.warnings(dump(model), "foreign") == ()


def test_inspect_warns(foreign: Path) -> None:
    shown = CliRunner().invoke(main, ["inspect", str(foreign)])
    assert (shown.exit_code, WRONG in shown.stderr) == (0, True)
    document = json.loads(CliRunner().invoke(main, ["inspect", str(foreign), "--json"]).stdout)
    assert WRONG in document["warnings"][0]


def test_a_gate_warns_of_the_file_that_has_it(foreign: Path, tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice())
    suite = pair.suite_of_files(BASELINE, foreign, None, {})
    result = gate.start(suite, QUIET, tmp_path / "results", ["t"], Quiet())
    assert [said for said in result.warnings if WRONG in said and "candidate" in said]
    assert not [said for said in result.warnings if WRONG in said and "baseline" in said]
