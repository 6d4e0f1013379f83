"""A phone that fails preflight: nothing starts, and the reason has a name."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.devices.base import Cooldown, InvalidTrialError
from mobilebench.errors import InvalidRunError
from mobilebench_agent import contract
from mobilebench_agent.contract import Event, Metric, Result

from app_build.errors import BuildError
from tests.phone import apps, needs, personalities
from tests.phone.android import PACKAGE, Android, Package, State
from tests.phone.fixtures import Connect
from tests.phone.phone import Phone
from tests.phone.system import System
from tests.support.android import make, plan


def nobody(_: str) -> None: ...
def nobody_hears(_: Event) -> None: ...


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
        ("battery", "does not report its battery's level"),
        ("thermal", "does not report its thermal status"),
        ("policy", "does not report whether its screen"),
    ],
)
def test_what_is_not_reported_is_a_problem(
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


def test_a_check_that_is_allowed_to_fail_is_reported(
    pixel: Android, connect: Connect, model_file: Path
) -> None:
    pixel.installed[PACKAGE] = Package(1)
    pixel.state.level = 10
    allowed = frozenset({"battery"})
    device = AndroidDevice("phone", connect(pixel.phone), None, allowed=allowed, cool_seconds=0)
    device.probe()
    told = ("measured although its battery is at 10 %, below 25 %: charge it",)
    assert device.preflight(Cooldown(), nobody).warnings == told
    result = device.run(plan(device, model_file), lambda _: None, 60)
    assert result.warnings == told


def test_a_dark_screen_is_switched_on(pixel: Android, connect: Connect) -> None:
    pixel.state.awake = False
    make(pixel, connect).probe()
    assert pixel.state.awake


def test_a_lock_without_a_secret_is_passed(pixel: Android, connect: Connect) -> None:
    pixel.state.locked, pixel.state.secure = True, False
    make(pixel, connect).probe()
    assert not pixel.state.locked


def test_heat_is_waited_for(pixel: Android, connect: Connect) -> None:
    pixel.state.thermal_status = 1
    asked = iter([1, 1, 0])
    thermal = pixel.thermal

    def cooling(state: State) -> str:
        state.thermal_status = next(asked, 0)
        return thermal(state)

    pixel.thermal = cooling
    make(pixel, connect, cool=60).probe()
    assert list(asked) == [], "it was not read until it was cool"


SPOILT = [
    ({"thermal_status": 3}, "throttled", "throttled by heat"),
    ({"level": 20}, "device_unfit", "below 25 %"),
    ({"temperature": 420}, "device_unfit", "its battery has 42 °C"),
    ({"power_save": "1"}, "device_unfit", "battery saver is on"),
    ({"locked": True}, "device_unfit", "it is locked"),
    ({"plugged": False}, "plug_changed", "plugged in or unplugged"),
]


@pytest.mark.parametrize(("values", "code", "words"), SPOILT)
def test_a_trial_that_is_disturbed(
    pixel: Android,
    connect: Connect,
    model_file: Path,
    values: dict[str, object],
    code: str,
    words: str,
) -> None:
    """It does not count, and what was measured is told all the same."""
    device = make(pixel, connect)
    device.probe()

    def disturb(event: Event) -> None:
        if event.phase == "load":
            change(**values)(pixel.state)

    with pytest.raises(InvalidTrialError, match=words) as caught:
        device.run(plan(device, model_file), disturb, 60)
    assert caught.value.code == code
    assert caught.value.result is not None
    assert caught.value.result.samples_ns


@pytest.mark.parametrize(
    ("values", "check"), [({"plugged": False}, "plug"), ({"thermal_status": 3}, "thermal")]
)
def test_a_disturbance_that_is_allowed_is_reported(
    pixel: Android, connect: Connect, model_file: Path, values: dict[str, object], check: str
) -> None:
    pixel.installed[PACKAGE] = Package(1)
    allowed = frozenset({check})
    device = AndroidDevice("phone", connect(pixel.phone), None, allowed=allowed)
    device.probe()
    result = device.run(plan(device, model_file), lambda _: change(**values)(pixel.state), 60)
    assert len(result.warnings) == 1
    assert (
        result.warnings[0].startswith("measured although it was ") or "heat" in result.warnings[0]
    )


@pytest.mark.parametrize("allowed", [frozenset(), frozenset({"frequency"})])
def test_a_clock_that_was_limited(
    phone_system: System,
    connect: Connect,
    tmp_path: Path,
    model_file: Path,
    allowed: frozenset[str],
) -> None:
    """The app's own core tells it, of a cluster that the test describes."""
    described = tmp_path / "device.json"

    def limit(hertz: float) -> None:
        clocks = {"cpu0_frequency_limit": hertz, "cpu0_frequency_hardware_limit": 2.8e9}
        metrics = tuple(Metric(name, "Hz", "cpufreq", hz, 1000, 1) for name, hz in clocks.items())
        described.write_text(contract.encode(Result("t", "memory", metrics)))

    limit(2.4e9)

    def app(phone: Phone) -> list[str]:
        return [*apps.desktop(phone), "--device-json", str(described)]

    try:
        pixel = personalities.pixel(tmp_path / "phone", phone_system, app)
    except BuildError as error:
        needs.judge(error)
    pixel.installed[PACKAGE] = Package(1)
    device = AndroidDevice("phone", connect(pixel.phone), None, allowed=allowed)
    device.probe()
    # Its maker keeps it below the hardware's clock for good.
    assert not device.run(plan(device, model_file), nobody_hears, 60).warnings
    limit(1.9e9)
    words = "cpu0 was limited to 1.90 GHz, and at rest to 2.40 GHz"
    if allowed:
        result = device.run(plan(device, model_file), nobody_hears, 60)
        assert result.warnings == (f"measured although {words}",)
    else:
        with pytest.raises(InvalidTrialError, match=words) as caught:
            device.run(plan(device, model_file), nobody_hears, 60)
        assert (caught.value.code, caught.value.heat) == ("capped", True)
        assert caught.value.result is not None
        # Memory does not depend on the clock.
        device.run(plan(device, model_file, "memory"), nobody_hears, 60)


def test_a_disturbance_that_stays_is_found_before_the_next_trial(
    pixel: Android, connect: Connect
) -> None:
    device = make(pixel, connect)
    device.probe()
    pixel.state.level = 20
    with pytest.raises(InvalidRunError, match="below 25 %"):
        device.preflight(Cooldown(), nobody)


def test_a_trial_begins_when_the_battery_is_cool(pixel: Android, connect: Connect) -> None:
    device = make(pixel, connect)
    device.probe()
    pixel.state.temperature = 350
    said: list[str] = []

    def cool(text: str) -> None:
        said.append(text)
        pixel.state.temperature = 315

    device.preflight(Cooldown(32, 60), cool)
    assert said[0].startswith("cooling: 35 → 32 °C, ")


def test_a_phone_that_does_not_cool_down(pixel: Android, connect: Connect) -> None:
    device = make(pixel, connect)
    device.probe()
    pixel.state.temperature = 350
    with pytest.raises(InvalidTrialError, match=r"has 35 °C, .* at 32 °C at most") as caught:
        device.preflight(Cooldown(32, 0), nobody)
    assert (caught.value.code, caught.value.result) == ("too_hot", None)


def test_cooling_can_be_interrupted(pixel: Android, connect: Connect) -> None:
    device = make(pixel, connect)
    device.probe()
    pixel.state.thermal_status = 2

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        device.preflight(Cooldown(), interrupt)


def test_a_temperature_that_is_not_told_is_not_waited_for(pixel: Android, connect: Connect) -> None:
    pixel.installed[PACKAGE] = Package(1)
    allowed = frozenset({"battery-temperature"})
    device = AndroidDevice("phone", connect(pixel.phone), None, allowed=allowed)
    battery = pixel.battery
    pixel.battery = lambda state: battery(state).replace("  temperature: ", "  warmth: ")
    device.probe()
    told = device.preflight(Cooldown(32, 60), nobody).warnings
    assert any(warning.startswith("not cooled down: it does not report") for warning in told)
