"""How noisy a device is, measured and kept."""

from pathlib import Path

import pytest
from mobilebench.cache import cache_folder
from mobilebench.devices.base import TrialError
from mobilebench.errors import InvalidRunError
from mobilebench.runs import pair
from mobilebench.runs.calibrate import calibrate, known, sentence
from mobilebench.runs.run import Quiet

from tests.support.gates import by_metric, run_gate
from tests.support.models import BASELINE, sha256
from tests.support.scripted_device import Open, ScriptedDevice, slower


@pytest.fixture(autouse=True)
def _own_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of a device must not widen the margins of other tests' gates."""
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path / "cache"))


def test_a_calibrated_margin(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.0, 0.04)))
    same = pair.suite_of_files(BASELINE, BASELINE)
    folder, (noise,) = calibrate(same, tmp_path / "c", ["t"], Quiet())
    assert len(folder.trials()) == 1 + 2 + 12 * 2 * 2
    assert 0.02 < noise.metrics["latency"] < 0.12
    assert noise.metrics["memory"] == 0
    assert "12 blocks" in sentence(noise)
    found = by_metric(run_gate(tmp_path))
    assert found["latency"].margin == pytest.approx(2 * noise.metrics["latency"])
    assert found["latency"].noise == noise.metrics["latency"]
    assert found["memory"].margin == pytest.approx(0.05)

    device.energy = lambda _, n: 0.03 + 0.001 * (n % 5)
    hungry = pair.suite_of_files(BASELINE, BASELINE, None, {"protocol": {"energy": True}})
    _, (noise,) = calibrate(hungry, tmp_path / "c", ["t"], Quiet())
    assert "energy" in noise.metrics
    assert "energy" in sentence(noise)

    device.version = "1.1"  # another runtime is another device
    result = run_gate(tmp_path)
    assert by_metric(result)["latency"].margin == 0.03
    assert any("calibrate" in warning for warning in result.warnings)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"artifact": 1}'])
def test_a_damaged_noise_file_is_none(tmp_path: Path, on: Open, damage: str) -> None:
    device = on(ScriptedDevice(slower(0.0, 0.01)))
    device.version = f"damaged {damage}"
    same = pair.suite_of_files(BASELINE, BASELINE)
    folder, _ = calibrate(same, tmp_path / "c", ["t"], Quiet())
    run = folder.run()
    facts, runtime = run.devices[0], run.runtimes[0]
    assert known(facts, runtime, sha256(BASELINE))
    assert known(facts, runtime.model_copy(update={"name": "another name"}), sha256(BASELINE))
    assert known(facts, runtime.model_copy(update={"threads": 2}), sha256(BASELINE)) is None
    for path in (cache_folder() / "noise").rglob("*.json"):
        path.write_text(damage)
    assert known(facts, runtime, sha256(BASELINE)) is None


def test_no_noise_of_failed_trials(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.fault = lambda _candidate, _kind, n: TrialError("timeout", "slow") if n == 3 else None
    with pytest.raises(InvalidRunError, match="no noise was kept"):
        calibrate(pair.suite_of_files(BASELINE, BASELINE), tmp_path, ["t"], Quiet())


def test_no_noise_of_trials_that_load_disturbed(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(slower(0.0)))
    device.load = lambda _, n: 1.5 if n % 3 == 0 else 0.0
    with pytest.raises(InvalidRunError, match=r"kept 1\.5 of 2 CPUs busy, so no noise was kept"):
        calibrate(pair.suite_of_files(BASELINE, BASELINE), tmp_path, ["t"], Quiet())
