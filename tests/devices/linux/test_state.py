"""A Linux machine's state from trees of sysfs, and what it makes of a trial.

The trees are made after the kernel's documentation, for none of these things happens on demand.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from mobilebench.devices import cooldown as cooling
from mobilebench.devices.base import Cooldown, InvalidTrialError
from mobilebench.devices.linux import state as linux_state
from mobilebench.devices.linux.state import LinuxState, StateChecks, parse
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import InvalidRunError
from mobilebench_agent.contract import Metric, Result
from mobilebench_agent.environment import Environment

RESULT = Result("r.1", "latency", samples_ns=(5,))

ZONE = "class/thermal/thermal_zone0/temp"
THROTTLES = "devices/system/cpu/cpu3/thermal_throttle"
POLICY = "devices/system/cpu/cpufreq/policy4"
MAINS = "class/power_supply/AC0"
FIRMWARE = "devices/platform/soc/soc:firmware/get_throttled"
QUOTA = "fs/cgroup/cpu.stat"

WELL = {
    ZONE: "41000",
    "class/thermal/thermal_zone1/temp": "38500",
    f"{POLICY}/scaling_max_freq": "2400000",
    f"{POLICY}/cpuinfo_max_freq": "2400000",
    f"{POLICY}/scaling_governor": "schedutil",
    f"{POLICY}/scaling_driver": "cpufreq-dt",
    f"{THROTTLES}/core_throttle_count": "7",
    f"{THROTTLES}/package_throttle_count": "7",
    f"{MAINS}/type": "Mains",
    f"{MAINS}/online": "1",
    FIRMWARE: "50000",
    QUOTA: "nr_periods 9\nnr_throttled 2\nthrottled_usec 400",
    "../proc/self/cgroup": "0::/",
}


def nobody(_: str) -> None: ...


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = root / "sys" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")


def reader(root: Path) -> Callable[[], str]:
    command = ["/bin/sh", "-c", linux_state.script(str(root))]
    return lambda: subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_tree(tmp_path: Path) -> None:
    write(tmp_path, WELL)
    assert parse(reader(tmp_path)()) == LinuxState(
        temperatures={"thermal_zone0": 41.0, "thermal_zone1": 38.5},
        limits={"cpu4": 2_400_000_000},
        hardware_limits={"cpu4": 2_400_000_000},
        governors={"cpu4": "schedutil"},
        drivers={"cpu4": "cpufreq-dt"},
        firmware=0x50000,
    )


def test_what_it_reports_has_the_agents_names(tmp_path: Path) -> None:
    write(tmp_path, WELL)
    reported = {m.name: (m.unit, m.value) for m in Environment(tmp_path).end()}
    state = parse(reader(tmp_path)())
    for metric in (*state.metrics("before"), *state.metrics("after")):
        assert reported[metric.name] == (metric.unit, metric.value)


@pytest.mark.parametrize(
    "text", ["", "garbage", "/sys/class/thermal/thermal_zone0/temp=\n", "a=b\n/=1\n", "\0\xff=="]
)
def test_what_is_no_state(text: str) -> None:
    assert parse(text) == LinuxState()


def test_values_that_cannot_be(tmp_path: Path) -> None:
    write(tmp_path, {ZONE: "999999999", FIRMWARE: "-3", f"{POLICY}/scaling_max_freq": "9" * 30})
    assert parse(reader(tmp_path)()) == LinuxState()


FAILING = [
    ({f"{POLICY}/scaling_max_freq": "1200000"}, "cpu4 is limited to 1.20 GHz of 2.40", "frequency"),
    ({f"{POLICY}/scaling_governor": "powersave"}, "its governor is powersave", "power-save"),
]


@pytest.mark.parametrize(("files", "words", "check"), FAILING)
def test_a_machine_that_fails_preflight(
    tmp_path: Path, files: dict[str, str], words: str, check: str
) -> None:
    write(tmp_path, {**WELL, **files})
    with pytest.raises(InvalidRunError, match=words) as caught:
        StateChecks("pi", reader(tmp_path)).preflight(Cooldown(), nobody)
    assert f"--allow {check}" in str(caught.value)
    allowing = StateChecks("pi", reader(tmp_path), frozenset({check}))
    (reported,) = allowing.preflight(Cooldown(), nobody).warnings
    assert reported.startswith(f"measured although {words}")
    # The agent says the same of the time after it, and both are reported once.
    judged = allowing.validate(after(tmp_path))
    assert set(judged.warnings) == ({reported} if check == "frequency" else set())


def test_an_adaptive_powersave_is_no_lowest_frequency(tmp_path: Path) -> None:
    files = {f"{POLICY}/scaling_governor": "powersave", f"{POLICY}/scaling_driver": "intel_pstate"}
    write(tmp_path, {**WELL, **files})
    assert not StateChecks("pc", reader(tmp_path)).preflight(Cooldown(), nobody).warnings


INVALIDATED = [
    ({f"{THROTTLES}/core_throttle_count": "9"}, "throttled", "2 thermal throttle events", True),
    ({FIRMWARE: "50005"}, "throttled", "slowed down: under-voltage, throttled", True),
    ({FIRMWARE: "70000"}, "throttled", "slowed down: frequency capped", True),
    ({QUOTA: "nr_throttled 3\nthrottled_usec 2400"}, "throttled", "quota stopped it", False),
    ({f"{POLICY}/scaling_max_freq": "1800000"}, "capped", "cpu4 is limited to 1.80", True),
    ({f"{MAINS}/online": "0"}, "plug_changed", "plugged in or unplugged", False),
]  # fmt: skip


def after(root: Path, files: Mapping[str, str] = {}, kind: str = "latency") -> Result:
    """The result of a trial during which those files changed, as the agent reports it."""
    around = Environment(root)
    write(root, files)
    file = {"outputs": "/o", "outputs_sha256": "0", "outputs_bytes": 1} if kind == "outputs" else {}
    return Result("r.1", kind, metrics=around.end(), **file)


@pytest.mark.parametrize(("files", "code", "words", "heat"), INVALIDATED)
def test_a_trial_that_the_machine_invalidated(
    tmp_path: Path, files: dict[str, str], code: str, words: str, heat: bool
) -> None:
    write(tmp_path, WELL)
    checks = StateChecks("pi", reader(tmp_path))
    checks.preflight(Cooldown(), nobody)
    well = after(tmp_path)
    assert checks.validate(well) == well
    invalidated = after(tmp_path, files)
    with pytest.raises(InvalidTrialError, match=words) as caught:
        checks.validate(invalidated)
    assert (caught.value.code, caught.value.heat) == (code, heat)
    assert caught.value.result == invalidated


def test_what_slows_a_machine_down_changes_no_answer(tmp_path: Path) -> None:
    write(tmp_path, WELL)
    checks = StateChecks("pi", reader(tmp_path))
    result = after(tmp_path, {f"{THROTTLES}/core_throttle_count": "9"}, "outputs")
    assert checks.validate(result) == result


def test_load_of_others_makes_no_trial_invalid(tmp_path: Path) -> None:
    loads = ("cpu_load_other", "cpu_load_stolen")
    reported = tuple(Metric(name, "CPUs", "/proc/stat", 3.0) for name in loads)
    result = Result("r.1", "latency", metrics=(*reported, Metric("after_x", "1", "x", 1.0)))
    assert StateChecks("pi", reader(tmp_path)).validate(result) == result


def test_a_program_that_reports_nothing_is_watched_by_the_host(tmp_path: Path) -> None:
    write(tmp_path, WELL)
    checks = StateChecks("pi", reader(tmp_path))
    checks.preflight(Cooldown(), nobody)
    names = {metric.name for metric in checks.validate(RESULT).metrics}
    assert {"before_zone0_temperature", "after_cpu4_frequency_limit"} <= names
    write(tmp_path, {f"{POLICY}/scaling_max_freq": "1800000"})
    with pytest.raises(InvalidTrialError, match=r"cpu4 is limited to 1\.80"):
        checks.validate(RESULT)


def test_a_limit_that_came_meanwhile_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, WELL)
    monkeypatch.setattr(linux_state, "_POLL_SECONDS", 0.01)
    checks = StateChecks("pi", reader(tmp_path))
    checks.preflight(Cooldown(), nobody)
    write(tmp_path, {f"{POLICY}/scaling_max_freq": "1800000"})
    with pytest.raises(InvalidTrialError, match=r"cpu4 is limited to 1\.80") as caught:
        checks.preflight(Cooldown(seconds=0), nobody)
    assert caught.value.code == "too_hot"
    said: list[str] = []

    def cool(text: str) -> None:
        said.append(text)
        write(tmp_path, WELL)

    checks.preflight(Cooldown(), cool)
    assert said[0].startswith("cooling: cpu4 is limited to 1.80 GHz of 2.40 GHz, ")


def test_a_board_that_is_throttled_is_waited_for(tmp_path: Path) -> None:
    write(tmp_path, {**WELL, FIRMWARE: "0x50005"})
    with pytest.raises(InvalidTrialError, match="it is slowed down: under-voltage") as caught:
        StateChecks("pi", reader(tmp_path)).preflight(Cooldown(seconds=0), nobody)
    assert caught.value.code == "too_hot"


def test_it_is_waited_for_until_it_is_cool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, WELL)
    monkeypatch.setattr(linux_state, "_POLL_SECONDS", 0.01)
    said: list[str] = []

    def cool(text: str) -> None:
        said.append(text)
        write(tmp_path, {ZONE: "35000", "class/thermal/thermal_zone1/temp": "35000"})

    StateChecks("pi", reader(tmp_path)).preflight(Cooldown(36, 60), cool)
    assert said[0].startswith("cooling: 41 → 36 °C, ")


def test_it_does_not_cool_down(tmp_path: Path) -> None:
    write(tmp_path, WELL)
    with pytest.raises(InvalidTrialError, match="thermal_zone0 has 41 °C") as caught:
        StateChecks("pi", reader(tmp_path)).preflight(Cooldown(36, 0), nobody)
    assert caught.value.code == "too_hot"


def test_a_machine_that_reports_nothing(tmp_path: Path) -> None:
    reported = StateChecks("vm", reader(tmp_path)).preflight(Cooldown(36, 60), nobody).warnings
    assert reported == ("not cooled down: it does not report its temperature",)
    assert StateChecks("vm", reader(tmp_path)).preflight(Cooldown(), nobody).warnings == ()


def test_this_machine_is_looked_at(tmp_path: Path) -> None:
    """Whatever it reports: with every check allowed, nothing stands in the way."""
    allowed = frozenset({"frequency", "power-save", "thermal"})
    found = LocalDevice("local", None, tmp_path, allowed).preflight(Cooldown(), nobody)
    assert all(warning.startswith("measured although ") for warning in found.warnings)


def test_a_pause_is_cut_short_by_who_is_called() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cooling.pause(60, interrupt)
