"""What the agent reads around a trial, from recorded, written and hostile systems."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench_agent import clocks, contract, heat, load, memory, system_files
from mobilebench_agent.contract import Metric
from mobilebench_agent.environment import Environment
from mobilebench_agent.runtime import AgentError

from tests.support.system_trees import plant


def values(metrics: list[Metric]) -> dict[str, float | str | None]:
    """The value of each metric, or why it has none."""
    return {m.name: m.reason if m.value is None else m.value for m in metrics}


# Clocks.


def test_a_phone_has_three_clusters_of_which_one_is_capped(phone: Path) -> None:
    metrics = clocks.frequencies(phone)
    found = values(metrics)
    assert found["cpu0_frequency_current"] == 300e6
    assert found["cpu4_frequency_limit"] == found["cpu4_frequency_hardware_limit"] == 2253e6
    assert (found["cpu7_frequency_limit"], found["cpu7_frequency_hardware_limit"]) == (
        2363e6,
        2850e6,
    )
    assert len(found) == 9
    assert {(m.unit, m.resolution, m.n) for m in metrics} == {("Hz", 1000, 1)}
    assert metrics[0].source.endswith("policy0/scaling_cur_freq")
    assert clocks.governors(phone) == dict.fromkeys(("cpu0", "cpu4", "cpu7"), "schedutil")


def test_cpus_that_share_a_clock_are_one_cluster_on_old_kernels_too(board: Path) -> None:
    assert values(clocks.current(board)) == {"cpu0_frequency_current": 600e6}
    assert clocks.governors(board) == {"cpu0": "ondemand"}


def test_the_biggest_cpus_are_those_of_the_highest_capacity(tmp_path: Path) -> None:
    for cpu, hertz in enumerate((3_000_000, 1_800_000, 1_800_000, 1_800_000)):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "cpuinfo_max_freq").write_text(f"{hertz}\n")
    assert clocks.biggest(tmp_path) == (0,)
    for cpu, capacity in enumerate((325, 325, 1024, 1024)):
        path = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/cpu_capacity"
        path.write_text(f"{capacity}\n")
    assert clocks.biggest(tmp_path) == (2, 3)
    path.unlink()
    assert clocks.biggest(tmp_path) == (0,)


def test_cpus_of_no_known_capacity_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="name them instead") as caught:
        clocks.biggest(tmp_path)
    assert caught.value.code == "cpus_unavailable"


def test_clocks_that_cannot_be_believed_have_a_reason(hostile: Path) -> None:
    found = values(clocks.frequencies(hostile))
    assert found == {
        "cpu0_frequency_current": "it says '<unknown>'",
        "cpu0_frequency_limit": "it says '-1800000'",
        "cpu0_frequency_hardware_limit": "it says '99999999999999999999999999'",
        "cpu4_frequency_current": "it says '0'",
        "cpu4_frequency_limit": "Is a directory",
        "cpu4_frequency_hardware_limit": "No such file or directory",
        "cpu6_frequency_current": "it says '1,8e6'",
        "cpu6_frequency_limit": "it says '١٢'",
        "cpu6_frequency_hardware_limit": "it says '1800000\\n1900000'",
    }


def test_a_system_without_clocks_says_so(tmp_path: Path) -> None:
    (none,) = clocks.frequencies(tmp_path)
    assert (none.name, none.reason) == ("cpu_frequency", "No such file or directory")
    (tmp_path / "sys/devices/system/cpu/cpufreq").mkdir(parents=True)
    (none,) = clocks.current(tmp_path)
    assert none.reason == "this system has no cpufreq"


# Heat.


def test_every_zone_has_its_type_and_temperature(phone: Path) -> None:
    metrics = heat.temperatures(phone)
    assert values(metrics) == {
        "zone0_temperature": 61.0,
        "zone1_temperature": 38.45,
        "zone2_temperature": 33.1,
        "zone10_temperature": -5.0,
    }
    assert metrics[1].source.endswith("thermal_zone1/temp (skin_therm)")
    assert (metrics[1].unit, metrics[1].resolution) == ("°C", 0.001)


def test_temperatures_that_cannot_be_have_a_reason(hostile: Path) -> None:
    assert values(heat.temperatures(hostile)) == {
        "zone0_temperature": "it says '-273200'",
        "zone1_temperature": "it says 'n/a'",
        "zone2_temperature": "it says '2147483647'",
        "zone3_temperature": "No such file or directory",
    }


def test_a_board_reports_what_its_firmware_did(board: Path, hostile: Path, phone: Path) -> None:
    assert values(heat.firmware(board)) == {"firmware_throttled": 0x50005}
    assert values(heat.firmware(hostile)) == {"firmware_throttled": "it says '-0x1'"}
    assert heat.firmware(phone) == []


def test_slowdowns_of_a_laptop_are_what_its_counters_grew(laptop: Path) -> None:
    before = heat.counts(laptop)
    cpu = laptop / "sys/devices/system/cpu"
    (cpu / "cpu1/thermal_throttle/core_throttle_count").write_text("5\n")
    for number in range(4):
        (cpu / f"cpu{number}/thermal_throttle/package_throttle_count").write_text("9\n")
    group = laptop / "sys/fs/cgroup/user.slice/cpu.stat"
    group.write_text("nr_periods 12\nnr_throttled 3\nthrottled_usec 2050\n")
    metrics = heat.growth(before, heat.counts(laptop))
    # A core's counts add up; a package's is told by each of its cores.
    assert values(metrics) == {
        "thermal_throttle_core": 2,
        "thermal_throttle_package": 2,
        "cgroup_throttled_periods": 2,
        "cgroup_throttled_time": 2_000_000,
    }
    assert {m.name: m.unit for m in metrics}["cgroup_throttled_time"] == "ns"


def test_where_nothing_can_throttle_nothing_is_said(phone: Path) -> None:
    assert heat.counts(phone) == {}


def test_a_counter_that_goes_back_or_away_has_a_reason(laptop: Path, hostile: Path) -> None:
    before = heat.counts(laptop)
    cpu = laptop / "sys/devices/system/cpu"
    for number in range(4):
        (cpu / f"cpu{number}/thermal_throttle/core_throttle_count").write_text("0\n")
    (cpu / "cpu2/thermal_throttle/package_throttle_count").unlink()
    found = values(heat.growth(before, heat.counts(laptop)))
    assert found["thermal_throttle_core"] == "it went from 18 back to 0"
    assert found["thermal_throttle_package"] == "No such file or directory"
    bad = heat.counts(hostile)
    assert values(heat.growth(bad, bad)) == {
        "thermal_throttle_core": "it says '-3'",
        "thermal_throttle_package": "it says '18446744073709551616'",
        "cgroup_throttled_periods": "nr_throttled: it says 'many'",
        "cgroup_throttled_time": "throttled_usec: it says '-4'",
    }
    assert values(heat.growth({}, bad))["thermal_throttle_core"] == (
        "it was not there before the trial"
    )


# Load.


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[load.Reading, load.Reading]:
    """A virtual machine before and after two seconds of work in one process."""
    before, after = (
        load.read(plant(f"recorded-vm-{when}", tmp_path / when), [0, 1])
        for when in ("before", "after")
    )
    return before, replace(after, time_ns=before.time_ns + 2_003_019_140)


def test_the_load_of_others_is_all_less_our_own(
    recorded: tuple[load.Reading, load.Reading],
) -> None:
    before, after = recorded
    other, stolen = load.between(Path("/"), before, after)
    # As counted by hand from the recorded lines: two busy processors, one process of ours.
    busy = sum(after.ticks[name] - before.ticks[name] for name in load._BUSY)
    seconds = 2.003019140
    assert other.value == pytest.approx((busy - (after.own - before.own)) / 100 / seconds)
    assert other.value is not None
    assert 0.5 < other.value < 2
    assert other.resolution == pytest.approx(0.01 / seconds)
    assert stolen.value is not None
    assert 0 <= stolen.value < 0.1
    assert (other.unit, other.n) == ("CPUs", 2)


def test_only_the_cpus_that_the_process_has_count(tmp_path: Path) -> None:
    root = plant("written-phone", tmp_path)
    before = load.read(root, [5])
    text = (root / "proc/stat").read_text().replace("cpu5 100", "cpu5 180")
    (root / "proc/stat").write_text(text.replace("cpu6 100", "cpu6 199"))
    own = (root / "proc/self/stat").read_text().replace(" 10 5 ", " 60 5 ")
    (root / "proc/self/stat").write_text(own)
    after = replace(load.read(root, [5]), time_ns=before.time_ns + 10**9)
    other, _ = load.between(root, before, after)
    assert other.value == pytest.approx(0.3)
    assert load.last_cpu(root, after).value == 5


def test_readings_that_contradict_each_other_say_nothing(
    recorded: tuple[load.Reading, load.Reading],
) -> None:
    before, after = recorded
    less = {**after.ticks, "user": before.ticks["user"] - 1}
    much = {**after.ticks, "user": after.ticks["user"] + 10_000}
    for spoilt, words in (
        (replace(before, time_ns=after.time_ns), "/proc/stat did not change"),
        (replace(after, ticks=less), "/proc/stat: user went backwards"),
        (replace(after, ticks=much), "busy ticks of 2 CPUs in 200"),
        (replace(after, own=before.own - 1), "/proc/self/stat went backwards"),
        (replace(after, own=before.own + 5000), "this process was busy for 5000 ticks"),
        (replace(after, reason="Permission denied"), "Permission denied"),
    ):
        for metric in load.between(Path("/"), before, spoilt):
            assert words in metric.reason


@pytest.mark.parametrize(
    ("stat", "own", "words"),
    [
        ("cpu 1 2 3\ncpu0 1 2 3\n", "", "/proc/stat has 3 columns"),
        ("intr 1\n", "", "no line 'cpu0'"),
        ("cpu0 1 2 3 4 5 6 7 many\n", "", "it says 'many'"),
        ("", "1 (x) R 1 2", "/proc/self/stat has too few columns"),
    ],
)
def test_garbage_is_no_load(phone: Path, stat: str, own: str, words: str) -> None:
    if stat:
        (phone / "proc/stat").write_text(stat)
    if own:
        (phone / "proc/self/stat").write_text(own)
    reading = load.read(phone, [])
    assert words in reading.reason
    assert load.last_cpu(phone, reading).reason == reading.reason


def test_this_machines_load_is_seen() -> None:
    before = load.read(Path("/"), [])
    while load.read(Path("/"), []).own - before.own < 10:
        sum(range(10_000))
    other, _ = load.between(Path("/"), before, load.read(Path("/"), []))
    assert other.value is not None
    assert 0 <= other.value <= (os.cpu_count() or 1)


# Memory.


def test_memory_is_read_from_a_recorded_process(tmp_path: Path) -> None:
    found = memory.read(plant("recorded-vm-after", tmp_path) / "proc/self")
    assert found.bytes["VmRSS"] == found.bytes["RssAnon"] + found.bytes["RssFile"] > 0
    assert found.bytes["Pss"] <= found.bytes["VmRSS"]
    assert found.reasons == {}


def test_memory_that_cannot_be_believed_has_a_reason(hostile: Path, tmp_path: Path) -> None:
    found = memory.read(hostile / "proc/self")
    assert found.bytes == {}
    assert found.why_not("status", "VmHWM") == "/proc/self/status has no VmHWM in kB"
    none = memory.read(tmp_path / "gone")
    assert none.why_not("smaps_rollup", "Pss") == "No such file or directory"


# All of it.


def test_a_trials_surroundings_are_messages_of_the_protocol(laptop: Path) -> None:
    around = Environment(laptop)
    moment = values(around.moment())
    assert (moment["cpu2_frequency_current"], moment["zone1_temperature"]) == (2400e6, 88.0)
    metrics = around.end()
    found = values(list(metrics))
    assert found["before_zone1_temperature"] == found["after_zone1_temperature"] == 88.0
    assert found["after_cpu3_frequency_limit"] == 4200e6
    assert found["thermal_throttle_package"] == 0
    # Both readings are of one unchanged file.
    assert found["last_cpu"] == 2
    assert around.conditions()["governors"]["cpu1"] == "powersave"
    assert len({metric.name for metric in metrics}) == len(metrics)
    result = contract.Result("t", "latency", metrics, conditions=around.conditions())
    assert contract.decode(contract.encode(result)) == result


@pytest.mark.parametrize("system", ["hostile", "nowhere"])
def test_nothing_breaks_the_surroundings(system: str, hostile: Path, tmp_path: Path) -> None:
    around = Environment(hostile if system == "hostile" else tmp_path / "nowhere")
    metrics = (*around.end(), *around.moment())
    assert all(m.reason for m in metrics if not m.name.startswith(("cgroup", "thermal")))
    assert not [m.name for m in metrics if m.value is not None]


@pytest.fixture
def forbidden() -> Iterator[Path]:
    """A phone's tree that a user without rights may list but not read."""
    # Not below pytest's own folder, which others may not enter.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    plant("written-phone", folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o000)
    yield folder
    shutil.rmtree(folder)


def test_what_may_not_be_read_is_unavailable(forbidden: Path) -> None:
    # Root may read anything: a process of a user without rights reads in its place.
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            around = Environment(forbidden)
            found = values([*around.end(), *around.moment()])
            os.write(writing, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        found = json.loads(pipe.read())
    os.waitpid(child, 0)
    assert len(found) > 20
    assert set(found.values()) == {"Permission denied"}


def test_a_recorded_tree_is_named_in_every_source(
    phone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(system_files.ROOT_VARIABLE, str(phone))
    around = Environment(system_files.root())
    assert all(str(phone) in metric.source for metric in around.end())
