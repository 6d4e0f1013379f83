"""Gates on a virtual phone: the right verdict and words, whatever the phone does."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from mobilebench.analysis import verdicts
from mobilebench.analysis.gating import Verdict
from mobilebench.devices.android import device as phone_device
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.records import conditions
from mobilebench.runs import gate, pair
from mobilebench.runs.run import Quiet
from mobilebench.suite import policy

from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect
from tests.support.models import MODELS
from tests.support.watcher import Watcher

pytestmark = pytest.mark.alone

#: What is no matter of time, and what needs few trials.
POLICY = policy.validate(
    {"latency": {"margin": 1.0}, "memory": {"enabled": False}}, "a test's policy"
)


@pytest.fixture
def phone(pixel: Android, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Android:
    # The virtual phone has this machine's CPUs, which the tests beside this one keep busy.
    monkeypatch.setattr(conditions, "loaded", lambda *_: "")
    monkeypatch.setattr(verdicts, "cpu_times", lambda *_: None)
    impatient = functools.partial(AndroidDevice, wait_seconds=1.0, cool_seconds=0.0)
    monkeypatch.setattr(phone_device, "AndroidDevice", impatient)
    apk = Apk.described()
    pixel.know(apk.path, Package(apk.version))
    pixel.installed[PACKAGE] = Package(apk.version)
    connect(pixel.phone)
    return pixel


def run_gate(phone: Android, results: Path, watcher: Quiet) -> gate.GateResult:
    settings: dict[str, Any] = {
        "protocol": {"warmup_seconds": 0, "seconds": 0, "runs": 10, "cooldown_seconds": 0},
        "devices": [{"name": "phone", "kind": "android", "address": phone.phone.serial}],
    }
    small = MODELS / "small.tflite"
    suite = pair.suite_of_files(small, small, None, settings)
    return gate.start(suite, POLICY, results, ["test"], watcher)


def test_a_phone_that_is_well(phone: Android, tmp_path: Path) -> None:
    result = run_gate(phone, tmp_path / "results", Quiet())
    assert result.verdict == Verdict.PASS, repr(result)
    (comparison,) = result.comparisons
    assert comparison.device == "phone"
    assert any("virtual" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"thermal_status": 2}, "throttled by heat"),
        ({"temperature": 420}, "its battery has 42 °C"),
        ({"level": 11}, "its battery is at 11 %"),
    ],
)
def test_a_phone_that_fails_a_check(
    phone: Android, tmp_path: Path, values: dict[str, int], words: str
) -> None:
    well = {name: getattr(phone.state, name) for name in values}
    results = tmp_path / "results"
    result = run_gate(phone, results, Watcher(lambda: phone.state.__dict__.update(values), 3))
    assert (result.verdict, result.exit_code) == (Verdict.INVALID, 4)
    assert words in result.invalid
    (path,) = results.iterdir()
    assert f"mobilebench gate --resume {path}" in result.invalid
    phone.state.__dict__.update(well)
    resumed = gate.resume(path, Quiet())
    assert resumed.verdict == Verdict.PASS, repr(resumed)


def test_a_phone_that_goes_away(phone: Android, tmp_path: Path) -> None:
    result = run_gate(phone, tmp_path / "results", Watcher(phone.phone.cable.unplug, 3))
    assert result.verdict == Verdict.INVALID
    assert "did not come back" in result.invalid
