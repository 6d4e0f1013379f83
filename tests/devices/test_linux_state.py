"""A Linux machine's state from trees of sysfs, and what it makes of a trial.

The trees are made after the kernel's documentation, for none of these things happens on demand.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from device_agent.contract import Result
from harness.devices import cooling, linux_state
from harness.devices.base import Cooldown, InvalidTrialError
from harness.devices.linux_state import Fitness, LinuxState, parse
from harness.devices.local import LocalDevice
from harness.errors import InvalidRunError

RESULT = Result("r.1", "latency", samples_ns=(5,))

ZONE = "class/thermal/thermal_zone0/temp"
THROTTLES = "devices/system/cpu/cpu3/thermal_throttle/core_throttle_count"
POLICY = "devices/system/cpu/cpufreq/policy4"
MAINS = "class/power_supply/AC0/online"

WELL = {
    ZONE: "41000",
    "class/thermal/thermal_zone1/temp": "38500",
    f"{POLICY}/scaling_max_freq": "2400000",
    f"{POLICY}/cpuinfo_max_freq": "2400000",
    f"{POLICY}/scaling_governor": "schedutil",
    f"{POLICY}/scaling_driver": "cpufreq-dt",
    THROTTLES: "7",
    MAINS: "1",
}


def nobody(_: str) -> None: ...


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def reader(root: Path) -> Callable[[], str]:
    command = ["/bin/sh", "-c", linux_state.script(str(root))]
    return lambda: subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_tree(tmp_path: Path) -> None:
    write(tmp_path, WELL)
    assert parse(reader(tmp_path)()) == LinuxState(
        temperatures={"thermal_zone0": 41.0, "thermal_zone1": 38.5},
        limits={"policy4": 2400000},
        hardware_limits={"policy4": 2400000},
        governors={"policy4": "schedutil"},
        drivers={"policy4": "cpufreq-dt"},
        throttles={"cpu3": 7},
        online={"AC0": 1},
    )


@pytest.mark.parametrize(
    "text", ["", "garbage", "/sys/class/thermal/thermal_zone0/temp=\n", "a=b\n/=1\n", "\0\xff=="]
)
def test_what_is_no_state(text: str) -> None:
    assert parse(text) == LinuxState()


def test_values_that_cannot_be(tmp_path: Path) -> None:
    write(tmp_path, {ZONE: "999999999", THROTTLES: "-3", f"{POLICY}/scaling_max_freq": "9" * 30})
    assert parse(reader(tmp_path)()) == LinuxState()


UNFIT = [
    ({f"{POLICY}/scaling_max_freq": "1200000"}, "policy4 is limited to 1.20 of 2.40", "frequency"),
    ({f"{POLICY}/scaling_governor": "powersave"}, "its governor is powersave", "power-save"),
]


@pytest.mark.parametrize(("files", "words", "check"), UNFIT)
def test_a_machine_that_is_not_fit(
    tmp_path: Path, files: dict[str, str], words: str, check: str
) -> None:
    write(tmp_path, {**WELL, **files})
    with pytest.raises(InvalidRunError, match=words) as caught:
        Fitness("pi", reader(tmp_path)).preflight(Cooldown(), nobody)
    assert f"--allow {check}" in str(caught.value)
    allowing = Fitness("pi", reader(tmp_path), frozenset({check}))
    (told,) = allowing.preflight(Cooldown(), nobody).warnings
    assert told.startswith(f"measured although {words}")
    assert allowing.judge(RESULT).warnings == (told,)


def test_an_adaptive_powersave_is_no_lowest_frequency(tmp_path: Path) -> None:
    files = {f"{POLICY}/scaling_governor": "powersave", f"{POLICY}/scaling_driver": "intel_pstate"}
    write(tmp_path, {**WELL, **files})
    assert not Fitness("pc", reader(tmp_path)).preflight(Cooldown(), nobody).warnings


SPOILT = [
    ({THROTTLES: "9"}, "throttled", "2 thermal throttle events", True),
    ({f"{POLICY}/scaling_max_freq": "1800000"}, "capped", "policy4 is limited to 1.80", True),
    ({MAINS: "0"}, "plug_changed", "plugged in or unplugged", False),
]


@pytest.mark.parametrize(("files", "code", "words", "heat"), SPOILT)
def test_a_trial_that_the_machine_spoilt(
    tmp_path: Path, files: dict[str, str], code: str, words: str, heat: bool
) -> None:
    write(tmp_path, WELL)
    fitness = Fitness("pi", reader(tmp_path))
    fitness.preflight(Cooldown(), nobody)
    assert fitness.judge(RESULT) == RESULT
    write(tmp_path, files)
    with pytest.raises(InvalidTrialError, match=words) as caught:
        fitness.judge(RESULT)
    assert (caught.value.code, caught.value.heat) == (code, heat)
    assert caught.value.result == RESULT


def test_it_is_waited_for_until_it_is_cool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, WELL)
    monkeypatch.setattr(linux_state, "_POLL_SECONDS", 0.01)
    said: list[str] = []

    def cool(text: str) -> None:
        said.append(text)
        write(tmp_path, {ZONE: "35000", "class/thermal/thermal_zone1/temp": "35000"})

    Fitness("pi", reader(tmp_path)).preflight(Cooldown(36, 60), cool)
    assert said[0].startswith("cooling: 41 → 36 °C, ")


def test_it_does_not_cool_down(tmp_path: Path) -> None:
    write(tmp_path, WELL)
    with pytest.raises(InvalidTrialError, match="thermal_zone0 has 41 °C") as caught:
        Fitness("pi", reader(tmp_path)).preflight(Cooldown(36, 0), nobody)
    assert caught.value.code == "too_hot"


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    told = Fitness("vm", reader(tmp_path)).preflight(Cooldown(36, 60), nobody).warnings
    assert told == ("not cooled down: it does not tell its temperature",)
    assert Fitness("vm", reader(tmp_path)).preflight(Cooldown(), nobody).warnings == ()


def test_this_machine_is_looked_at(tmp_path: Path) -> None:
    """Whatever it tells: with every check allowed, nothing stands in the way."""
    allowed = frozenset({"frequency", "power-save", "thermal", "plug"})
    LocalDevice("local", None, tmp_path, allowed).preflight(Cooldown(), nobody)


def test_a_pause_is_cut_short_by_who_is_told() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cooling.pause(60, interrupt)
