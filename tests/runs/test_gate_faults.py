"""Gates in which trials fail, or a candidate cannot be made."""

from pathlib import Path

import pytest
from mobilebench.analysis.gating import Verdict
from mobilebench.devices.base import TrialError
from mobilebench.errors import BadInputError
from mobilebench.runs import pair
from mobilebench.store.folder import RunFolder
from mobilebench.tflite.file import dump, load

from tests.support.gates import by_metric, run_gate
from tests.support.models import BASELINE, CANDIDATE
from tests.support.scripted_device import Open, ScriptedDevice, slower


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TrialError("device_unfit", "it is at 44 °C"), "44 °C"),
        (TrialError("link_lost", "the cable was pulled"), "cable"),
    ],
)
def test_a_failed_trial_makes_its_metric_invalid(
    tmp_path: Path, on: Open, error: TrialError, words: str
) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.fault = lambda candidate, kind, n: (
        error if candidate and kind == "latency" and n == 4 else None
    )
    result = run_gate(tmp_path)
    assert (result.verdict, result.exit_code) == (Verdict.INVALID, 4)
    assert words in by_metric(result)["latency"].reason
    assert "1 of 14 latency trials failed" in repr(result)
    assert by_metric(result)["memory"].verdict == Verdict.PASS
    assert len(RunFolder.open(result.folder).trials()) == 31, "no second look at an invalid one"


def test_a_device_that_fails_always(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.fault = lambda *_: TrialError("agent_died", "signal 9")
    result = run_gate(tmp_path)
    assert result.verdict == Verdict.INVALID
    assert "signal 9" in by_metric(result)["latency"].reason


def unmakable(path: Path) -> Path:
    """A candidate with the baseline's inputs and outputs, and an operator that nobody has."""
    model = load(BASELINE.read_bytes())
    code = model.operatorCodes[model.subgraphs[0].operators[-1].opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = 32
    code.customCode = b"Nobodys"
    path.write_bytes(dump(model))
    return path


def test_a_candidate_that_cannot_be_made(tmp_path: Path) -> None:
    other = unmakable(tmp_path / "other.tflite")
    with pytest.raises(BadInputError, match="nothing to compare"):
        run_gate(tmp_path, pair.suite_of_files(BASELINE, other, None, {}))
    assert not list((tmp_path / "results").glob("*"))


def test_a_suite_with_a_candidate_that_cannot_be_made(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(slower(0.0)))
    path = tmp_path / "suite.toml"
    path.write_text(
        f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n[models.ready]\n'
        f'good = "{CANDIDATE}"\nbad = "{unmakable(tmp_path / "other.tflite")}"\n'
    )
    result = run_gate(tmp_path, pair.suite_of_file(path))
    verdicts = {c.candidate: c.verdict for c in result.comparisons}
    assert verdicts == {"good": Verdict.PASS, "bad": Verdict.INVALID}
    assert "Nobodys" in repr(result)
    assert {t.recipe for t in RunFolder.open(result.folder).trials()} == {"as_is", "good"}
