"""Energy on virtual phones through the command: batteries that lie, and one that charges.

The battery is a simulation that the app's real work drains; see ``tests/phone/battery.py``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mobilebench.devices.adb.client import AdbDevice, AdbServer
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.errors import BadInputError
from mobilebench.store.folder import RunFolder

from app_build.errors import BuildError
from tests.phone import battery, needs, personalities
from tests.phone.android import Android, Package
from tests.phone.battery import Battery, Gauge
from tests.phone.fixtures import Connect
from tests.phone.system import System
from tests.support.command import mobilebench
from tests.support.models import MODELS

SUITE = f"""
[protocol]
blocks = 1
warmup_seconds = 0.0
seconds = 0.0
runs = 10
energy_seconds = 0.3

[[models]]
name = "small"
source = "{MODELS / "small.tflite"}"
recipes = ["as_is"]
"""

#: A gate that looks at energy alone.
POLICY = """
[latency]
enabled = false
[memory]
enabled = false
[energy]
missing = "fail"
"""


Raise = Callable[[Gauge], Android]


@pytest.fixture
def phone_with(
    phone_system: System, tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Raise]:
    """A Pixel on its battery, with a gauge of that kind; nothing is known of its model yet."""
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path / "cache"))
    with contextlib.ExitStack() as stack:

        def turn_on(gauge: Gauge) -> Android:
            phones: list[Android] = []
            # Where the current is of no use, nor is the charge: as coarse as such gauges are.
            drained = Battery(
                gauge,
                lambda: bool(phones and phones[0].state.plugged),
                step=10_000 if gauge is battery.dead else 1,
            )
            try:
                android = personalities.pixel(tmp_path / "phone", phone_system, drained.app)
            except BuildError as error:
                needs.judge(error)
            phones.append(android)
            android.state.plugged = False
            apk = Apk.described()
            android.know(apk.path, Package(apk.version))
            stack.enter_context(drained)
            connect(android.phone)
            return android

        yield turn_on


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "suite.toml"
    path.write_text(SUITE, "utf-8")
    return path


def run(suite: Path, phone: Android, results: Path, *options: str) -> tuple[int, str, Any]:
    done = mobilebench(
        "run", suite, "--device", phone.phone.serial, "--results", results, "--json", *options
    )
    assert "Traceback" not in done.stderr
    variants = json.loads(done.stdout)["variants"] if done.stdout else [None]
    return done.returncode, done.stderr, variants[0]


@pytest.mark.alone
@pytest.mark.parametrize(
    ("gauge", "unit", "sign"),
    [(battery.honest, "µA", "negative"), (battery.milliamperes, "mA", "positive")],
)
def test_a_gauge_that_lies_in_unit_and_sign_is_understood(
    phone_with: Raise, suite: Path, tmp_path: Path, gauge: Gauge, unit: str, sign: str
) -> None:
    phone = phone_with(gauge)
    code, errors, variant = run(suite, phone, tmp_path / "results", "--unplugged")
    assert code == 0, errors
    assert variant["energy_per_inference_joules_reason"] == ""
    assert variant["energy_per_inference_joules"] > 0
    assert variant["energy_source"].startswith("battery (simulated battery CURRENT_NOW")
    # The truth is what the battery gave; a thousandfold more or less would be out of here.
    assert variant["idle_watts"] == pytest.approx(battery.IDLE_WATTS, rel=0.5)
    assert battery.IDLE_WATTS < variant["load_watts"] < 4 * battery.WORK_WATTS
    kept = json.loads((tmp_path / "cache/battery/Google-Pixel-7-Pro.json").read_text("utf-8"))
    assert (kept["unit"], kept["discharging"]) == (unit, sign)


@pytest.mark.alone
def test_a_gauge_that_contradicts_what_is_known_of_its_model(
    phone_with: Raise, suite: Path, tmp_path: Path
) -> None:
    phone = phone_with(battery.milliamperes)
    kept = tmp_path / "cache/battery/Google-Pixel-7-Pro.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"unit": "mA", "discharging": "negative"}')
    _, _, variant = run(suite, phone, tmp_path / "results", "--unplugged")
    assert variant["energy_per_inference_joules"] is None
    reason = variant["energy_per_inference_joules_reason"]
    assert "the profile of this model says mA, negative while discharging" in reason
    # What the suite says goes before what was found out.
    device = (
        f'[[devices]]\nname = "phone"\nkind = "android"\naddress = "{phone.phone.serial}"\n'
        'unplugged = true\nbattery_current = { unit = "mA", discharging = "positive" }\n'
    )
    suite.write_text(SUITE + device, "utf-8")
    done = mobilebench("run", suite, "--energy", "--results", tmp_path / "results", "--json")
    (variant,) = json.loads(done.stdout)["variants"]
    assert variant["energy_per_inference_joules"] > 0, variant


def test_a_dead_gauge_gives_no_number(phone_with: Raise, suite: Path, tmp_path: Path) -> None:
    phone = phone_with(battery.dead)
    code, _, variant = run(suite, phone, tmp_path / "results", "--unplugged")
    assert code == 0
    assert variant["energy_per_inference_joules"] is None
    reason = variant["energy_per_inference_joules_reason"]
    assert "its current reads -2.14748e+06 for ever: this gauge does not measure" in reason
    assert not (tmp_path / "cache/battery").exists()


def test_a_phone_that_charges_is_not_measured_by_its_battery(
    phone_with: Raise, suite: Path, tmp_path: Path
) -> None:
    phone = phone_with(battery.honest)
    phone.state.plugged = True
    code, errors, variant = run(suite, phone, tmp_path / "results", "--energy")
    assert code == 0, errors
    assert variant["energy_per_inference_joules"] is None
    assert variant["latency_ns"] > 0
    reason = variant["energy_per_inference_joules_reason"]
    assert "battery cannot tell while the device is on external power" in reason
    assert "--unplugged" in reason
    (path,) = (tmp_path / "results").iterdir()
    (trial,) = [t for t in RunFolder.open(path).trials() if t.kind == "energy"]
    assert trial.windows == ()
    code, errors, _ = run(suite, phone, tmp_path / "more", "--unplugged")
    assert code == 4
    assert "it is charged by USB, and --unplugged wants it on its battery" in errors


@pytest.mark.parametrize(
    ("gauge", "plugged", "words"),
    [
        (battery.honest, True, "on external power"),
        (battery.dead, False, "this gauge does not measure"),
    ],
)
def test_a_gate_says_why_it_has_no_energy(
    phone_with: Raise, suite: Path, tmp_path: Path, gauge: Gauge, plugged: bool, words: str
) -> None:
    phone = phone_with(gauge)
    phone.state.plugged = plugged
    text = SUITE.replace("0.3", "0.02") + f"[models.ready]\nsame = '{MODELS / 'small.tflite'}'\n"
    suite.write_text(text, "utf-8")
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    done = mobilebench(
        "gate", suite, "--energy", "--device", phone.phone.serial, "--policy", policy,
        "--results", tmp_path / "results", "--json",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    (found,) = [f for c in document["comparisons"] for f in c["metrics"] if f["metric"] == "energy"]
    assert found["verdict"] == "FAIL"
    assert words in found["reason"]


def test_unplugged_wants_no_cable() -> None:
    cable = AdbDevice(AdbServer("127.0.0.1", 1), "28301FDH3000AB")
    with pytest.raises(BadInputError, match="is on a cable, which charges it"):
        AndroidDevice("phone", cable, None, unplugged=True).probe()
