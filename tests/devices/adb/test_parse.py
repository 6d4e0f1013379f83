"""What Android prints, read strictly; each dump's first line says where it is from."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.devices.adb import parse as adb_parse
from mobilebench.devices.adb.parse import Battery, Install, Start, Thermal

from tests.support.dumps import DUMPS, dump


@pytest.mark.parametrize("path", sorted(DUMPS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_dump_is_labelled(path: Path) -> None:
    label = path.read_text().splitlines()[0]
    assert label.startswith("# ")
    words = ("Written", "Recorded", "made by hand")
    assert any(word in path.read_text() for word in words)


def test_battery() -> None:
    assert adb_parse.parse_battery(dump("battery-pixel7pro-android14")) == Battery(
        level=84, temperature=32.6, voltage=4063, charge_counter=3_276_000, plugged=("USB",)
    )


def test_battery_that_repeats_itself() -> None:
    assert adb_parse.parse_battery(dump("battery-samsung-android14")) == Battery(
        level=84, temperature=42.3, voltage=4143, charge_counter=3_112_000, plugged=("USB",)
    )


def test_battery_that_somebody_faked() -> None:
    battery = adb_parse.parse_battery(dump("battery-faked"))
    assert battery.faked
    assert battery.plugged == ()


def test_battery_that_is_none() -> None:
    assert adb_parse.parse_battery(dump("battery-hostile")) == Battery()
    assert adb_parse.parse_battery("Can't find service: battery\n") == Battery()


def test_thermal() -> None:
    assert adb_parse.parse_thermal(dump("thermal-samsung-android")) == Thermal(
        1, {"AP": 44.8, "BAT": 32.4, "SKIN": 38.3}, 38.3
    )
    pixel = adb_parse.parse_thermal(dump("thermal-pixel-android14"))
    assert pixel == Thermal(0, {"VIRTUAL-SKIN": 23.793081, "VIRTUAL-USB-UI": 22.373001}, 23.793081)


def test_thermal_that_is_not_ready() -> None:
    assert adb_parse.parse_thermal(dump("thermal-not-ready")) == Thermal(0)


def test_thermal_that_is_none() -> None:
    assert adb_parse.parse_thermal(dump("thermal-hostile")) == Thermal()
    assert adb_parse.parse_thermal("Can't find service: thermalservice\n") == Thermal()


def test_ends_of_the_app() -> None:
    ended = adb_parse.parse_exit(dump("exit-emulator-api34"))
    assert ended is not None
    assert (ended.pid, ended.reason) == (8297, "USER REQUESTED")
    crashed = adb_parse.parse_exit(dump("exit-crash-android15"))
    assert crashed is not None
    assert (crashed.reason, crashed.description) == ("APP CRASH(EXCEPTION)", "crash")
    assert adb_parse.parse_exit(dump("exit-hostile")) is None
    assert adb_parse.parse_exit("Bad activity command\n") is None


def test_lock() -> None:
    assert adb_parse.parse_locked(dump("policy-android14")) is False
    assert adb_parse.parse_locked(dump("policy-android8")) is True
    assert adb_parse.parse_locked("showing=maybe\n") is None


@pytest.mark.parametrize(
    ("text", "on"),
    [("  mWakefulness=Awake\n", True), ("  mWakefulness=Dozing\n", False), ("mWake", None)],
)
def test_screen(text: str, on: bool | None) -> None:
    assert adb_parse.parse_screen_on(text) is on


@pytest.mark.parametrize(
    ("text", "on"), [("1\n", True), ("0\n", False), ("null\n", False), ("2\n", None), ("", None)]
)
def test_power_save(text: str, on: bool | None) -> None:
    assert adb_parse.parse_power_save(text) is on


def test_start() -> None:
    started = adb_parse.parse_start(dump("start-cold-android14"))
    assert started == Start("ok", "io.mobilebench.agent/.BenchmarkActivity", 412)
    missing = adb_parse.parse_start(dump("start-missing-android14"))
    assert missing.status == "error"
    assert "does not exist" in missing.reason
    assert adb_parse.parse_start("Status: timeout\nComplete\n").status == "timeout"
    assert adb_parse.parse_start("").reason == "it said nothing"
    assert adb_parse.parse_start("Error type 3\n").status == "error"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Performing Streamed Install\nSuccess\n", Install()),
        (
            "adb: failed to install a.apk: Failure [INSTALL_FAILED_OLDER_SDK: Requires 35]\n",
            Install("INSTALL_FAILED_OLDER_SDK", "Requires 35"),
        ),
        ("Failure [INSTALL_FAILED_USER_RESTRICTED]\n", Install("INSTALL_FAILED_USER_RESTRICTED")),
        ("adb: device offline\n", Install("INSTALL_UNKNOWN", "adb: device offline")),
        ("", Install("INSTALL_UNKNOWN", "it said nothing")),
    ],
)
def test_install(text: str, expected: Install) -> None:
    assert adb_parse.parse_install(text) == expected


def test_devices() -> None:
    lines = adb_parse.parse_device_lines(dump("devices"))
    assert [(line.serial, line.state) for line in lines] == [
        ("28301FDH3000AB", "device"),
        ("192.168.1.20:5555", "device"),
        ("R5CW1234ABC", "unauthorized"),
        ("emulator-5554", "offline"),
        ("????????????", "no permissions"),
        ("0123456789ab", "recovery"),
    ]
    assert [line.over_network for line in lines] == [False, True, False, False, False, False]
    assert lines[0].properties["model"] == "Pixel_7_Pro"


def test_properties() -> None:
    text = "[ro.product.model]: [Pixel 7]\n[a]: []\n[b]: [two\nlines]\ngarbage\n[c]: [1]\n"
    assert adb_parse.parse_properties(text) == {
        "ro.product.model": "Pixel 7",
        "a": "",
        "b": "two\nlines",
        "c": "1",
    }


def test_app_version() -> None:
    text = "Packages:\n    versionCode=7 minSdk=26 targetSdk=35\n    versionName=0.1.0\n"
    assert adb_parse.parse_app_version(text) == 7
    assert adb_parse.parse_app_version("Unable to find package: x\n") is None
    assert adb_parse.parse_app_version("    versionCode=99999999999\n") is None


@pytest.mark.parametrize(
    ("level", "scale", "percent"), [(84, 100, 84), (128, 256, 50), (100, 1, None), (101, 100, None)]
)
def test_a_level_is_a_share_of_its_scale(level: int, scale: int, percent: int | None) -> None:
    assert adb_parse.parse_battery(f"  level: {level}\n  scale: {scale}\n").level == percent


LINES = sorted({line for path in DUMPS.glob("*.txt") for line in path.read_text().splitlines()})

#: Recorded lines in any order, with another number in the place of theirs, and other text.
OUTPUTS = st.lists(
    st.builds(
        lambda line, number: re.sub(r"\d+", str(number), line, count=1),
        st.sampled_from(LINES),
        st.integers(-(10**13), 10**13) | st.integers(-300, 1500),
    )
    | st.sampled_from(LINES)
    | st.text()
).map("\n".join)


@given(OUTPUTS)
def test_every_number_is_one_that_can_be(text: str) -> None:
    battery, thermal = adb_parse.parse_battery(text), adb_parse.parse_thermal(text)
    assert battery.level is None or 0 <= battery.level <= 100
    assert battery.temperature is None or -50 <= battery.temperature <= 150
    assert battery.voltage is None or 0 < battery.voltage <= 100_000
    assert thermal.status is None or 0 <= thermal.status <= 6
    assert all(-50 <= celsius <= 200 for celsius in thermal.temperatures.values())
    assert thermal.skin is None or thermal.skin in thermal.temperatures.values()
    start, end = adb_parse.parse_start(text), adb_parse.parse_exit(text)
    assert start.total_ms is None or 0 <= start.total_ms < 10**7
    assert end is None or (0 <= end.pid < 10**9 and 0 <= end.status < 10**9)


@given(OUTPUTS)
def test_no_output_breaks_a_parser(text: str) -> None:
    """A device may say anything; what is shown of it is short."""
    for parse in (
        adb_parse.parse_battery,
        adb_parse.parse_thermal,
        adb_parse.parse_exit,
        adb_parse.parse_locked,
        adb_parse.parse_screen_on,
        adb_parse.parse_power_save,
        adb_parse.parse_start,
        adb_parse.parse_install,
        adb_parse.parse_device_lines,
        adb_parse.parse_properties,
        adb_parse.parse_app_version,
    ):
        found = parse(text)
        assert len(getattr(found, "reason", "")) <= 300
        assert found == parse(text)
