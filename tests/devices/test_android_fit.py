"""A phone that is not fit to be measured: nothing starts, and the reason has a name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from device_agent.contract import Event
from harness.devices import phone_state
from harness.devices.adb import AdbDevice
from harness.devices.android import AndroidDevice
from harness.devices.base import TrialError
from harness.devices.phone_state import PhoneState
from harness.errors import InvalidRunError
from tests.devices.conftest import Connect
from tests.devices.test_android import make, plan
from tests.phone.android import PACKAGE, Android, Package, State

Change = Callable[[State], None]


def change(**values: object) -> Change:
    def apply(state: State) -> None:
        for name, value in values.items():
            setattr(state, name, value)

    return apply


UNFIT = [
    (change(level=24), "its battery is at 24 %, below 25 %"),
    (change(temperature=401), "its battery has 40.1 °C, above 40 °C"),
    (change(faked=True), "UPDATES STOPPED"),
    (change(power_save="1"), "battery saver is on"),
    (change(locked=True), "it is locked: unlock it"),
    (change(thermal_status=2), "throttled by heat (thermal status 2)"),
    (change(level=5, locked=True), "its battery is at 5 %, below 25 %: charge it; it is locked"),
]


@pytest.mark.parametrize(("apply", "words"), UNFIT)
def test_before_a_run(pixel: Android, connect: Connect, apply: Change, words: str) -> None:
    device = make(pixel, connect)
    apply(pixel.state)
    with pytest.raises(InvalidRunError) as caught:
        device.probe()
    assert words in str(caught.value)
    assert str(caught.value).startswith("device 'phone' (127.0.0.1:")
    assert not any(words[:2] == ["am", "start"] for words in pixel.phone.calls)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("battery", "does not tell its battery's level"),
        ("thermal", "does not tell its thermal status"),
        ("policy", "does not tell whether its screen"),
    ],
)
def test_what_is_not_told_counts_as_unfit(
    pixel: Android, connect: Connect, name: str, words: str
) -> None:
    setattr(pixel, name, lambda _: "\0\xff garbage level: 99999999999999999999\n")
    with pytest.raises(InvalidRunError, match=words):
        make(pixel, connect).probe()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ro.kernel.qemu", "1", "an emulator"),
        ("ro.hardware", "ranchu", "an emulator"),
        ("ro.debuggable", "1", "a debuggable build"),
        ("ro.build.type", "userdebug", "a debuggable build"),
    ],
)
def test_no_phone_for_users(
    pixel: Android, connect: Connect, name: str, value: str, words: str
) -> None:
    device = make(pixel, connect)
    pixel.phone.make.properties[name] = value
    with pytest.raises(InvalidRunError, match=words):
        device.probe()


def test_an_old_android_has_no_thermal_status(
    any_android: Android, connect: Connect, model_file: Path
) -> None:
    device = make(any_android, connect)
    device.probe()
    assert device.run(plan(device, model_file), lambda _: None, 60).samples_ns


def test_a_check_that_is_allowed_to_fail_is_told(
    pixel: Android, connect: Connect, model_file: Path
) -> None:
    pixel.installed[PACKAGE] = Package(1)
    pixel.state.level = 10
    allowed = frozenset({"battery"})
    device = AndroidDevice("phone", connect(pixel.phone), None, allowed=allowed, cool_seconds=0)
    device.probe()
    result = device.run(plan(device, model_file), lambda _: None, 60)
    assert result.warnings == ("measured although its battery is at 10 %, below 25 %: charge it",)


def test_a_dark_screen_is_switched_on(pixel: Android, connect: Connect) -> None:
    pixel.state.awake = False
    make(pixel, connect).probe()
    assert pixel.state.awake


def test_a_lock_without_a_secret_is_passed(pixel: Android, connect: Connect) -> None:
    pixel.state.locked, pixel.state.secure = True, False
    make(pixel, connect).probe()


def test_heat_is_waited_for(pixel: Android, connect: Connect) -> None:
    pixel.state.thermal_status = 1
    asked = iter([1, 1, 0])
    thermal = pixel.thermal

    def cooling(state: State) -> str:
        state.thermal_status = next(asked, 0)
        return thermal(state)

    pixel.thermal = cooling
    make(pixel, connect, cool=60).probe()


SPOILT = [
    ({"thermal_status": 3}, "throttled by heat"),
    ({"level": 20}, "below 25 %"),
    ({"temperature": 420}, "its battery has 42 °C"),
    ({"power_save": "1"}, "battery saver is on"),
    ({"locked": True}, "it is locked"),
    ({"plugged": False}, "plugged in or unplugged"),
]


@pytest.mark.parametrize(("values", "words"), SPOILT)
def test_a_trial_that_is_disturbed_every_time(
    pixel: Android,
    connect: Connect,
    model_file: Path,
    values: dict[str, object],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is spoilt while it runs, and put right before the next attempt."""
    device = make(pixel, connect)
    device.probe()
    planned = plan(device, model_file)
    attempts: list[str] = []
    read = phone_state.read

    def read_and_put_right(adb_device: AdbDevice) -> PhoneState:
        state = read(adb_device)
        change(**{name: getattr(State(), name) for name in values})(pixel.state)
        return state

    def disturb(event: Event) -> None:
        if event.phase == "load":
            attempts.append(event.phase)
            change(**values)(pixel.state)

    monkeypatch.setattr(phone_state, "read", read_and_put_right)
    with pytest.raises(TrialError, match=words) as caught:
        device.run(planned, disturb, 60)
    assert caught.value.code == "device_unfit"
    assert len(attempts) == 3


def test_a_trial_that_is_disturbed_once(pixel: Android, connect: Connect, model_file: Path) -> None:
    device = make(pixel, connect)
    device.probe()
    planned = plan(device, model_file)
    attempts: list[str] = []

    def disturb(event: Event) -> None:
        if event.phase == "load":
            attempts.append(event.phase)
            pixel.state.plugged = False

    result = device.run(planned, disturb, 60)
    assert result.samples_ns
    assert len(attempts) == 2


def test_a_disturbance_that_stays_ends_the_run(
    pixel: Android, connect: Connect, model_file: Path
) -> None:
    device = make(pixel, connect)
    device.probe()
    planned = plan(device, model_file)
    with pytest.raises(InvalidRunError, match="below 25 %"):
        device.run(planned, lambda _: setattr(pixel.state, "level", 20), 60)
