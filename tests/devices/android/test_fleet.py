"""Phones as fleets have them: no battery, makers' savers, users, guarded settings, other pages."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench.devices.android import app, page_size
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.doctor import Check, examine, repair
from mobilebench.devices.base import Cooldown
from mobilebench.devices.validity import problems_during
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.records.device import DeviceFacts
from mobilebench_agent.contract import Metric, Result

from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect
from tests.support.android import make, plan


@pytest.fixture
def apk(tmp_path: Path) -> Apk:
    path = tmp_path / "mobilebench-agent.apk"
    path.write_bytes(b"PK" + bytes(1000))
    return Apk(path, 3, hashlib.sha256(path.read_bytes()).hexdigest(), 4096)


def the(checks: tuple[Check, ...], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


def test_a_phone_without_a_battery(pixel: Android, connect: Connect, model_file: Path) -> None:
    pixel.state.has_battery = False
    device = make(pixel, connect)
    device.probe()
    device.preflight(Cooldown(), lambda _: None)
    result = device.run(plan(device, model_file), lambda _: None, 60)
    found = {metric.name: metric for metric in result.metrics}
    level = found["battery_level_before"]
    assert (level.value, level.reason) == (None, "it has no battery")
    assert found["battery_temperature_after"].value is None
    checks = examine(connect(pixel.phone), None)
    assert the(checks, "battery").sentence == "it has no battery"
    assert "no battery" in the(checks, "power").sentence


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("POWER_SAVE_MODE_OPEN", "1", "Xiaomi's battery saver is on: switch it off"),
        ("power_save_type", "9", "vivo's power saving mode may be on"),
        (None, "", "its settings (system) cannot be read"),
    ],
)
def test_power_savers_of_makers(
    pixel: Android, connect: Connect, setting: str | None, value: str, words: str
) -> None:
    device = make(pixel, connect)
    device.probe()
    if setting is None:
        pixel.state.settings["system"].clear()
    else:
        pixel.state.settings["system"][setting] = value
    with pytest.raises(InvalidRunError) as caught:
        device.preflight(Cooldown(seconds=0), lambda _: None)
    assert words in str(caught.value)


def test_a_thermal_service_that_is_not_ready(pixel: Android, connect: Connect) -> None:
    pixel.state.hal_ready = False
    with pytest.raises(InvalidRunError, match="its thermal status is unknown"):
        make(pixel, connect).probe()


Change = Callable[[Android], None]


def locked_and_guarded(android: Android) -> None:
    android.state.awake, android.state.guarded = False, True
    android.phone.make.properties["ro.product.manufacturer"] = "Xiaomi"


def test_a_phone_that_lets_adb_touch_nothing(pixel: Android, connect: Connect, apk: Apk) -> None:
    locked_and_guarded(pixel)
    device = make(pixel, connect)
    with pytest.raises(InvalidRunError, match=r"USB debugging \(Security settings\)"):
        device.probe()
    adb = connect(pixel.phone)
    pixel.state.power_save = "1"
    pixel.installed[PACKAGE] = Package(3)
    checks = repair(adb, apk)
    for name in ("screen", "power-save"):
        check = the(checks, name)
        assert not check.ok
        assert not check.can_repair
        assert "USB debugging (Security settings)" in check.repair


def test_the_app_of_another_user(pixel: Android, connect: Connect, apk: Apk) -> None:
    """Installed for user 0 and not for user 10, who is in front."""
    adb = connect(pixel.phone)
    pixel.know(apk.path, Package(3))
    app.install(adb, apk, 0)
    pixel.users[PACKAGE] = {0}
    pixel.state.user = 10
    assert app.installed_version(adb) is None
    check = the(examine(adb, apk), "app")
    assert not check.ok
    assert check.sentence == "version 3, for another user only, and user 10 is in front"
    assert check.repair == "install version 3 for user 10"
    assert app.ensure_installed(adb, apk)
    assert pixel.users[PACKAGE] == {0, 10}
    assert not app.ensure_installed(adb, apk)
    assert the(examine(adb, apk), "app").ok


def test_a_user_whom_adb_may_not_ask_about(pixel: Android, connect: Connect, apk: Apk) -> None:
    """Such as the one of a maker's locked folder: not "for another user only", which is unknown."""
    adb = connect(pixel.phone)
    pixel.know(apk.path, Package(3))
    app.install(adb, apk, 0)
    pixel.state.user, pixel.state.shut_users = 150, {150}
    check = the(examine(adb, apk), "app")
    assert not check.ok
    assert check.sentence == (
        "Android does not let adb see the apps of user 150: "
        "Shell does not have permission to access user 150"
    )
    assert not check.can_repair


def test_a_saver_of_the_user_in_front(pixel: Android, connect: Connect) -> None:
    pixel.state.user = 10
    pixel.state.settings_of_users[10] = {
        "system": {"POWER_SAVE_MODE_OPEN": "1"},
        "secure": {"android_id": "f10"},
    }
    with pytest.raises(InvalidRunError, match="Xiaomi's battery saver is on"):
        make(pixel, connect).probe()


def test_an_install_that_was_declined(pixel: Android, connect: Connect, apk: Apk) -> None:
    adb = connect(pixel.phone)
    pixel.install_failure = "INSTALL_FAILED_ABORTED: User rejected permissions"
    with pytest.raises(BadInputError) as caught:
        app.ensure_installed(adb, apk)
    assert "confirm on the screen" in str(caught.value)
    assert "User rejected permissions" in str(caught.value)


@pytest.mark.parametrize(
    ("size", "sdk", "ok", "words"),
    [
        ("4096", "34", True, "4 KB"),
        ("16384", "35", False, "choose pages of 4 KB"),
        ("16384", "36", True, "Android runs it in a mode for such apps"),
        ("unknown", "36", False, "does not report the size"),
        ("16385", "36", False, "does not report the size"),
    ],
)
def test_memory_pages(
    pixel: Android, connect: Connect, apk: Apk, size: str, sdk: str, ok: bool, words: str
) -> None:
    adb = connect(pixel.phone)
    pixel.state.page_size = size
    pixel.phone.make.properties["ro.build.version.sdk"] = sdk
    check = the(examine(adb, apk), "page-size")
    assert check.ok is ok
    assert words in f"{check.sentence} {check.repair}"


@pytest.mark.parametrize(
    ("properties", "package", "words"),
    [
        ({}, "    pageSizeCompat=36\n", ""),
        ({"pm.16kb.app_compat.disabled": "false"}, "", ""),
        ({"pm.16kb.app_compat.disabled": "true"}, "", "pm.16kb.app_compat.disabled false"),
        ({"bionic.linker.16kb.app_compat.enabled": "fatal"}, "", "app_compat.enabled true"),
        ({}, "    pageSizeCompat=52\n", "Run app with page size compat mode"),
        ({}, "    pageSizeCompat=68\n", "doctor --repair"),
        ({}, "    pageSizeCompat=none\n", ""),
    ],
)
def test_the_mode_for_apps_of_smaller_pages(
    properties: dict[str, str], package: str, words: str
) -> None:
    advice = page_size.why_off(properties, package)
    assert words in advice
    assert bool(words) == bool(advice)


def test_what_is_measured_in_that_mode_says_so() -> None:
    facts = DeviceFacts("phone", "android", "1", "tensorflow-lite", "2.16.1")
    known = {"page_size": 16384, "library_alignment": 4096}
    assert "in Android's mode for such apps" in replace(facts, info=known).caution
    for info in ({}, {**known, "library_alignment": 16384}, {**known, "page_size": "16384"}):
        assert not replace(facts, info=info).caution


def limits(before: float, after: float, hardware: float = 2.4e9) -> Result:
    values = {
        "before_cpu4_frequency_limit": before,
        "after_cpu4_frequency_limit": after,
        "before_cpu4_frequency_hardware_limit": hardware,
        "after_cpu4_frequency_hardware_limit": hardware,
    }
    metrics = tuple(Metric(name, "Hz", "sysfs", value, n=1) for name, value in values.items())
    return Result("t", "latency", metrics)


def test_a_standing_limit_is_a_baseline() -> None:
    """Many makers hold a cluster below its hardware's clock for good: only a change counts."""
    at_rest: dict[int, float] = {}

    def sentences(result: Result) -> list[str]:
        return [problem.sentence for problem in problems_during(result, at_rest)]

    assert sentences(limits(1.8e9, 1.8e9)) == []
    assert sentences(limits(1.8e9, 1.8e9)) == []
    assert sentences(limits(1.8e9, 1.2e9)) == [
        "cpu4 was limited to 1.20 GHz, and at rest to 1.80 GHz"
    ]
    assert len(sentences(limits(1.2e9, 1.2e9))) == 1, "a limit that came and stays is no rest"
    assert len(sentences(limits(1.8e9, 2.4e9))) == 1, "what was first seen was no rest"
    assert sentences(limits(2.4e9, 2.4e9)) == []
    assert len(sentences(limits(1.8e9, 1.8e9))) == 1
    assert len(list(problems_during(limits(1.8e9, 1.8e9)))) == 1, "elsewhere the hardware's counts"
