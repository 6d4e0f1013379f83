"""Models with other inputs or outputs than their baseline are not compared with it."""

from pathlib import Path

import pytest
from mobilebench.analysis.gating import Verdict
from mobilebench.errors import BadInputError
from mobilebench.report.exports import gate as outputs
from mobilebench.runs import pair

from tests.support.gates import run_gate
from tests.support.models import BASELINE, CANDIDATE, MODELS
from tests.support.scripted_device import Open, ScriptedDevice
from tests.support.tflite_files import open_shape


@pytest.mark.parametrize("candidate", ["look_up.tflite", "not_a_number.tflite"])
def test_another_network_is_never_measured(tmp_path: Path, on: Open, candidate: str) -> None:
    device = on(ScriptedDevice(lambda *_: 1.0))
    result = run_gate(tmp_path, pair.suite_of_files(BASELINE, MODELS / candidate, None, {}))
    assert (result.verdict, result.exit_code) == (Verdict.INVALID, 4)
    assert "input 'args_0' is [1, 8, 8, 1] in the baseline and [1, 4]" in result.invalid
    assert device.jobs == []
    assert outputs.summary(result).startswith("INVALID")


def test_every_pair_of_a_suite_is_compared(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(lambda *_: 1.0))
    path = tmp_path / "suite.toml"
    path.write_text(
        f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n'
        f'recipes = ["dynamic_int8"]\n[models.ready]\nsame = "{CANDIDATE}"\n'
        f'other = "{MODELS / "look_up.tflite"}"\n'
    )
    result = run_gate(tmp_path, pair.suite_of_file(path))
    assert result.verdict == Verdict.INVALID
    assert "it cannot take the place of its baseline dynamic_int8: input 'args_0'" in result.invalid
    assert device.jobs == []
    assert not list((tmp_path / "results").glob("*"))


def test_quantized_ends_are_warned_of(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(lambda *_: 1.0))
    result = run_gate(tmp_path)
    assert result.verdict == Verdict.PASS
    (warning,) = [w for w in result.warnings if "an app must convert" in w]
    assert "input 'args_0' is float32 in the baseline and int8 in the candidate" in warning


def test_an_open_shape_is_bad_input(tmp_path: Path) -> None:
    shapeless = open_shape(tmp_path / "open.tflite", BASELINE.read_bytes(), [1, -1, -1, 1])
    for two in ((BASELINE, shapeless), (shapeless, BASELINE), (shapeless, shapeless)):
        with pytest.raises(BadInputError, match=r"open shape \[1, \?, \?, 1\]"):
            run_gate(tmp_path, pair.suite_of_files(*two, None, {}))
    assert not list((tmp_path / "results").glob("*"))
