"""Which operator a device computes differently: found where it is planted, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.devices.base import TrialError
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.records.runtime import Runtime
from mobilebench.runs import layer_parity
from mobilebench.runs.debug_samples import samples_for
from mobilebench.runs.layer_finding import LayerParity, TensorParity, sentence

from tests.support.faulty_device import FLOAT32, Fault, FaultyDevice, operators
from tests.support.models import BASELINE, CANDIDATE, MODELS, labelled

DENSE, SOFTMAX = 3, 4


def with_weights(change: Callable[[Any], Any], kind: str = "FULLY_CONNECTED") -> Fault:
    """Every operator of a kind has other weights, where they are float32."""

    def fault(model: Any) -> None:
        for operator in operators(model, kind):
            tensor = model.subgraphs[0].tensors[operator.inputs[1]]
            if tensor.type != FLOAT32:
                continue
            buffer = model.buffers[tensor.buffer]
            values = np.array(buffer.data, np.uint8).view(np.float32)
            buffer.data = change(values).astype(np.float32).view(np.uint8)

    return fault


def compared(folder: Path, fault: Fault = lambda _: None, file: Path = BASELINE) -> LayerParity:
    content, samples = samples_for(file.read_bytes(), file.name, None, folder)
    device = FaultyDevice(folder, fault)
    return layer_parity.compare(device, content, file.name, samples, Runtime(name="t"), folder)


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_the_operator_with_a_wrong_kernel_is_named(tmp_path: Path, kind: str) -> None:
    found = compared(tmp_path, with_weights(np.negative, kind))
    wrong = next(row for row in found.tensors if row.kind == kind)
    assert (found.differs, found.first, found.separately) == (True, wrong.operator, False)
    assert found.sentence.startswith(f"Operator {wrong.operator} ({kind}, ")
    assert "given the reference's inputs, its parity is" in found.sentence
    for row in found.tensors:
        assert row.alone is not None
        assert row.so_far is not None
        assert (row.alone < found.least_db) == row.alone_differs == (row is wrong)
        assert row.so_far_differs == (row.operator >= wrong.operator)
        assert row.reason == ""


def test_a_small_fault_within_the_tolerance_is_none(tmp_path: Path) -> None:
    found = compared(tmp_path, with_weights(lambda w: w * 1.0001))
    assert (found.differs, found.first) == (False, None)
    assert found.sentence.startswith("No operator differs on phone ")
    dense = next(row for row in found.tensors if row.operator == DENSE)
    assert dense.alone == pytest.approx(80, abs=3)


def test_a_fault_of_operators_that_run_as_one_is_said_to_be_that(tmp_path: Path) -> None:
    negate = with_weights(np.negative)

    def fault(model: Any) -> None:
        kept = set(model.subgraphs[0].outputs)
        made = {int(o.outputs[0]) for o in operators(model, "FULLY_CONNECTED")} - kept
        if made & {int(o.inputs[0]) for o in operators(model, "SOFTMAX")}:
            negate(model)

    found = compared(tmp_path, fault)
    assert found.outputs[0].snr_db < found.least_db
    assert (found.differs, found.separately, found.first) == (True, True, SOFTMAX)
    assert "small differences add up" in found.sentence
    assert "a delegate runs several of them as one" in found.sentence


def test_a_difference_that_an_operator_inherits_is_not_its_own(tmp_path: Path) -> None:
    negate = with_weights(np.negative)

    def fault(model: Any) -> None:
        kept = set(model.subgraphs[0].outputs)
        # Not where its tensor is kept beside the next one's, but by itself.
        if any(int(o.inputs[0]) not in kept for o in operators(model, "SOFTMAX")):
            negate(model)

    found = compared(tmp_path, fault)
    assert found.first == DENSE
    dense, softmax = found.tensors[-2:]
    assert (dense.alone_differs, dense.so_far_differs) == (True, False)
    assert (softmax.alone_differs, softmax.so_far_differs) == (False, True)


def test_a_fault_that_no_kept_tensor_shows_is_said_to_be_in_the_whole(tmp_path: Path) -> None:
    negate = with_weights(np.negative)

    def fault(model: Any) -> None:
        if model.signatureDefs:
            negate(model)

    found = compared(tmp_path, fault)
    assert (found.differs, found.first) == (True, None)
    assert "no intermediate tensor does once it is kept" in found.sentence


def test_an_operator_that_gives_nan_is_named(tmp_path: Path) -> None:
    found = compared(tmp_path, with_weights(lambda w: w * np.nan))
    assert (found.differs, found.first, found.outputs) == (True, DENSE, ())
    dense = next(row for row in found.tensors if row.operator == DENSE)
    assert "NaN" in dense.reason
    before = [row for row in found.tensors if row.operator < DENSE]
    assert all(row.so_far is not None and row.so_far > 100 for row in before)
    softmax = next(row for row in found.tensors if row.operator == SOFTMAX)
    assert softmax.alone is not None
    assert softmax.alone > 100


def test_an_operator_that_the_device_crashes_on_is_named(tmp_path: Path) -> None:
    def fault(model: Any) -> None:
        if operators(model, "FULLY_CONNECTED"):
            raise TrialError("agent_died", "the agent was killed by SIGABRT")

    found = compared(tmp_path, fault)
    assert (found.differs, found.first, found.outputs) == (True, DENSE, ())
    assert found.sentence.startswith("Operator 3 (FULLY_CONNECTED")
    assert "killed by SIGABRT" in found.sentence
    for row in found.tensors:
        assert row.so_far is None
        assert (row.alone is None) == row.alone_differs == (row.operator == DENSE)


def test_a_device_that_cannot_run_the_file_at_all_is_said_to(tmp_path: Path) -> None:
    def fault(_: Any) -> None:
        raise TrialError("link_lost", "the phone is gone")

    with pytest.raises(InvalidRunError, match=r"device 'phone': the phone is gone"):
        compared(tmp_path, fault)


@pytest.mark.parametrize("file", [CANDIDATE, MODELS / "look_up.tflite"], ids=lambda f: f.stem)
def test_right_kernels_differ_nowhere(tmp_path: Path, file: Path) -> None:
    found = compared(tmp_path, file=file)
    assert (found.differs, found.source, found.samples) == (False, "noise", 32)
    for row in found.tensors:
        assert (row.reason, row.alone is None) == ("", False)


def test_operators_that_cannot_be_run_apart_say_why(tmp_path: Path) -> None:
    found = compared(tmp_path, file=MODELS / "two_signatures.tflite")
    loop = next(row for row in found.tensors if row.kind == "WHILE")
    assert (loop.alone, loop.reason) == (None, "it runs other subgraphs")
    assert loop.so_far is not None


def test_rounding_that_adds_up_in_between_is_no_fault() -> None:
    rows = [
        TensorParity(0, "CONV_2D", "a;b", 70.0, 70.0, False, False),
        TensorParity(1, "CONV_2D", "c", 29.5, 55.0, True, False),
        TensorParity(2, "SOFTMAX", "d", 45.0, 80.0, False, False),
    ]
    said = sentence("phone", 45.0, False, rows, 30.0)
    assert said.startswith("Neither the outputs nor any operator by itself differ on phone ")
    assert "from operator 1 (CONV_2D, output 'c', 29.5 dB) on" in said
    said = sentence("phone", 20.0, True, rows, 30.0)
    assert said.startswith("Operator 1 (CONV_2D, output 'c') is the first that differs on phone")
    assert "(the lowest is operator 1, CONV_2D, with 55.0 dB)" in said


def test_data_without_evaluation_samples_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "calibration.npz"
    np.savez(file, x_calibration=np.zeros((4, 8, 8, 1), np.float32))
    with pytest.raises(BadInputError, match="no evaluation samples"):
        samples_for(BASELINE.read_bytes(), "m", str(file), tmp_path)


def test_the_command_runs_this_machine_on_data(tmp_path: Path) -> None:
    arguments = ["inspect", str(BASELINE), "--debug-answers", "--data", labelled(tmp_path)]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    (device,) = json.loads(done.stdout)["devices"]
    assert (device["device"], device["source"], device["samples"]) == ("local", "data", 30)
    assert [row["kind"] for row in device["tensors"]][-1] == "SOFTMAX"


def test_the_command_ends_with_4_where_a_device_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = FaultyDevice(tmp_path, with_weights(np.negative))
    monkeypatch.setattr("mobilebench.runs.selection.open_device", lambda _spec: device)
    done = CliRunner().invoke(main, ["inspect", str(BASELINE), "--debug-answers"])
    assert done.exit_code == InvalidRunError.exit_code, done.output
    said = " ".join(done.stdout.split())
    assert "Operator 3 (FULLY_CONNECTED" in said
    assert "parity alone" in said


def test_a_run_names_the_operator_of_what_is_invalid_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The int8 file has no float32 weights that this device could mistake.
    device = FaultyDevice(tmp_path, with_weights(np.negative), name="local")
    for room in ("run", "debug_run"):
        monkeypatch.setattr(f"mobilebench.runs.{room}.open_device", lambda _spec: device)
    quick = ["--blocks", "1", "--results", str(tmp_path / "results"), "--debug-answers"]
    done = CliRunner().invoke(main, ["run", str(BASELINE), str(CANDIDATE), *quick])
    assert done.exit_code == InvalidRunError.exit_code, done.output
    said = " ".join(done.stdout.split())
    assert said.count("parity alone") == 1
    assert "Operator 3 (FULLY_CONNECTED" in said
    assert "given the reference's inputs, its parity is" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--debug-answers", "--time"], "leave OTHER and --time out"),
        (["--data", "x.npz"], "goes with --debug-answers"),
        (["--device", "local"], "go with --debug-answers"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["inspect", str(BASELINE), *arguments])
    assert done.exit_code == 2
    assert said in done.output
