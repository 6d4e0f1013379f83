"""What Android prints, read strictly; each dump's first line says where it is from."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.devices.adb import parse as adb_parse
from mobilebench.devices.adb import refusal
from mobilebench.devices.adb.device_lines import UNREAD, parse_device_lines
from mobilebench.devices.adb.link import explain
from mobilebench.devices.adb.parse import Battery, Install, Start, Thermal
from mobilebench.devices.android import makers
from mobilebench.devices.android.install_advice import advice

from tests.support.dumps import DUMPS, dump


@pytest.mark.parametrize("path", sorted(DUMPS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_dump_is_labelled(path: Path) -> None:
    label = path.read_text().splitlines()[0]
    assert label.startswith("# ")
    words = ("Written", "Recorded", "made by hand")
    assert any(word in path.read_text() for word in words)


def test_battery() -> None:
    assert adb_parse.parse_battery(dump("battery-pixel7pro-android14")) == Battery(
        level=84,
        temperature=32.6,
        voltage=4063,
        charge_counter=3_276_000,
        plugged=("USB",),
        present=True,
    )


def test_battery_that_repeats_itself() -> None:
    assert adb_parse.parse_battery(dump("battery-samsung-android14")) == Battery(
        level=84,
        temperature=42.3,
        voltage=4143,
        charge_counter=3_112_000,
        plugged=("USB",),
        present=True,
    )


def test_no_battery_has_no_level_and_no_temperature() -> None:
    assert adb_parse.parse_battery(dump("battery-none")) == Battery(plugged=("AC",), present=False)


def test_battery_with_other_ends_of_lines() -> None:
    assert adb_parse.parse_battery(dump("battery-android16")) == Battery(
        level=61,
        temperature=30.5,
        voltage=4011,
        charge_counter=2_980_000,
        plugged=("Wireless",),
        present=True,
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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (dump("thermal-not-ready"), "does not answer Android"),
        (dump("thermal-hal-gone-android14"), "does not answer Android"),
        (dump("thermal-overridden-android14"), "cmd thermalservice reset"),
        (dump("thermal-hostile"), "or may have been"),
        ("Can't find service: thermalservice\n", "does not report its thermal status"),
        ("IsStatusOverride: false\nThermal Status: 0\n", "does not answer Android"),
        ("Thermal Status: 0\nHAL Ready: true\n", "or may have been"),
        ("IsStatusOverride: yes\nThermal Status: 0\nHAL Ready: true\n", "or may have been"),
        (
            dump("thermal-pixel-android14").replace("connected: yes", "connected: false"),
            "does not answer Android",
        ),
        ("IsStatusOverride: false\nThermal Status: 9\nHAL Ready: true\n", "none that Android has"),
        ("", "does not report its thermal status"),
    ],
)
def test_a_thermal_status_that_is_not_known(text: str, reason: str) -> None:
    found = adb_parse.parse_thermal(text)
    assert found.status is None
    assert reason in found.reason


def test_a_sensor_that_cannot_be_read_costs_no_other() -> None:
    found = adb_parse.parse_thermal(dump("thermal-odd-sensors-android13"))
    assert found.status == 0
    assert found.temperatures == {
        "cpu-0-1": 34.1,
        "sensor of type 3": 31.5,
        "battery, main": 29.0,
        "quiet_therm": 33.0,
    }
    assert found.skin == 33.0


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
    refused = adb_parse.parse_start(dump("start-refused-android13"))
    assert refused == Start("error", reason="Shell does not have permission to access user 10")
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
        ("Performing Streamed Install\r\nSuccess\r\n", Install()),
        ("Failure [INSTALL_CANCELED_BY_USER]\r\n", Install("INSTALL_CANCELED_BY_USER")),
        ("adb: device offline\n", Install("INSTALL_UNKNOWN", "adb: device offline")),
        ("", Install("INSTALL_UNKNOWN", "it said nothing")),
        (
            dump("install-refused-android12"),
            Install(
                "INSTALL_UNKNOWN",
                "Neither user 2000 nor current process has android.permission.INSTALL_PACKAGES.",
            ),
        ),
        (
            "Failure [INSTALL_FAILED_INVALID_APK: Failed to parse\n [base.apk]: bad]\nmore\n",
            Install("INSTALL_FAILED_INVALID_APK", "Failed to parse [base.apk]: bad"),
        ),
    ],
)
def test_install(text: str, expected: Install) -> None:
    assert adb_parse.parse_install(text) == expected


def test_devices() -> None:
    lines = parse_device_lines(dump("devices"))
    assert [(line.serial, line.state) for line in lines] == [
        ("28301FDH3000AB", "device"),
        ("192.168.1.20:5555", "device"),
        ("R5CW1234ABC", "unauthorized"),
        ("emulator-5554", "offline"),
        ("????????????", "no permissions"),
        ("0123456789ab", "recovery"),
        ("this is no device", UNREAD),
    ]
    assert [line.over_network for line in lines[:6]] == [False, True, False, False, False, False]
    assert lines[0].properties["model"] == "Pixel_7_Pro"


def test_devices_of_a_fleet() -> None:
    """Wireless ones, every state, and lines that nobody can know."""
    lines = parse_device_lines(dump("devices-fleet"))
    wireless = [line.serial for line in lines if line.over_network]
    assert [(line.serial, line.state) for line in lines] == [
        ("List of devices attached", UNREAD),
        ("adb-R5CT10ABCDE (2)._adb-tls-connect._tcp", "device"),
        ("adb-28301FDH3000AB-x9Qz0T._adb-tls-connect._tcp.", "offline"),
        ("[fe80::1%wlan0]:5555", "device"),
        ("0123456789ABCDEF", "detached"),
        ("HT4A1", "device"),
        ("my offline phone", "device"),
        ("(no serial number)", "unauthorized"),
        ("ZY22", "no permissions"),
        ("XY23", "no permissions"),
        ("AB24", "unknown"),
        ("CD25                   hibernating usb:1-7 transport_id:22", UNREAD),
    ]
    assert wireless == [line.serial for line in lines[1:4]]
    assert lines[1].properties["model"] == "SM_S911B"
    assert all(explain(line.state) for line in lines)


def test_devices_of_a_later_adb() -> None:
    """What is new in a line costs no device."""
    lines = parse_device_lines(dump("devices-later-adb"))
    assert [(line.serial, line.state) for line in lines] == [
        ("28301FDH3000AB", "device"),
        ("adb-R5CT10ABCDE-x9Qz0T (3)._adb-tls-connect._tcp", "device"),
        ("4f1b0e2a", "unauthorized"),
        ("LM-V350 device kind", "offline"),
    ]
    assert lines[0].properties["max_speed"] == "5000"
    assert lines[1].over_network


def test_properties() -> None:
    text = "[ro.product.model]: [Pixel 7]\n[a]: []\n[b]: [two\nlines]\ngarbage\n[c]: [1]\n"
    assert adb_parse.parse_properties(text) == {
        "ro.product.model": "Pixel 7",
        "a": "",
        "b": "two\nlines",
        "c": "1",
    }


PERMISSION = "android.permission.WRITE_SECURE_SETTINGS"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ""),
        ("Can't find service: x\n", "Can't find service: x"),
        ("Error: java.lang.IllegalArgumentException: Unknown user\n", "Unknown user"),
        ("java.lang.NullPointerException\n\tat a.B.c(Unknown Source:1)\n", "NullPointerException"),
        (
            dump("refused-miui-android11"),
            f"Permission denial: writing to settings requires:{PERMISSION}",
        ),
        ("\tat android.os.Z(Parcel.java:2088)\n", "at android.os.Z(Parcel.java:2088)"),
    ],
)
def test_why_a_command_refused(text: str, sentence: str) -> None:
    assert refusal.sentence(text) == sentence


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (dump("refused-miui-android11"), True),
        (dump("refused-coloros-android12"), True),
        ("Error: Operation not allowed: no INJECT_EVENTS\n", True),
        ("Injecting to another application requires INJECT_EVENTS permission\n", True),
        ("", False),
        ("Error: Unknown command: dismiss-keyguard\n", False),
    ],
)
def test_what_android_did_not_let(text: str, refused: bool) -> None:
    assert makers.is_refusal(text) is refused


TABLES = "table system 40\ntable secure 90\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TABLES, []),
        (TABLES + "system POWER_SAVE_MODE_OPEN=0\nsystem SmartModeStatus=1\n", []),
        (TABLES + "system POWER_SAVE_MODE_OPEN=1\n", ["Xiaomi's battery saver is on"]),
        (TABLES + "system SmartModeStatus=4\n", ["Huawei's power saving mode is on"]),
        (TABLES + "system ultra_powersaving_mode=1\n", ["maximum power saving mode is on"]),
        (TABLES + "system super_powersave_mode_state=1\n", ["OPPO, realme, OnePlus is on"]),
        (TABLES + "system power_save_type=2\n", ["vivo's power saving mode is on"]),
        (TABLES + "system power_save_type=7\n", ["reads '7', which is not known"]),
        (
            TABLES + "system psm_switch=1\nsecure EXTREME_POWER_MODE_ENABLE=1\n",
            ["Xiaomi's ultra battery saver is on", "Samsung's power saving mode is on"],
        ),
        ("", ["(system, secure) cannot be read"]),
        ("table system 40\ntable secure 0\n", ["(secure) cannot be read"]),
    ],
)
def test_makers_own_power_savers(text: str, words: list[str]) -> None:
    found = makers.parse_savers(text)
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))


def test_every_advice_is_for_its_code() -> None:
    assert "make some space" in advice("INSTALL_FAILED_INSUFFICIENT_STORAGE", "")
    aborted = advice("INSTALL_FAILED_ABORTED", "User rejected permissions")
    assert "confirm on the screen" in aborted
    assert "User rejected permissions" in aborted
    assert "file is damaged" in advice("INSTALL_PARSE_FAILED_NO_CERTIFICATES", "")
    assert "confirm on the screen" in advice("INSTALL_CANCELED_BY_USER", "")
    assert "make some space" in advice("INSTALL_FAILED_NO_SPACE_LEFT", "")
    assert advice("INSTALL_FAILED_OF_TOMORROW", "it is Sunday") == "it is Sunday"
    assert "look at the phone's screen" in advice("INSTALL_FAILED_OF_TOMORROW", "")


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
        parse_device_lines,
        refusal.sentence,
        makers.parse_savers,
        adb_parse.parse_properties,
        adb_parse.parse_app_version,
    ):
        found = parse(text)
        assert len(getattr(found, "reason", "")) <= 300
        assert found == parse(text)
    assert len(refusal.sentence(text)) <= 300
