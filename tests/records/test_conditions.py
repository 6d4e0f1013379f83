"""Under which conditions a trial ran."""

import pytest
from mobilebench.records import conditions
from mobilebench.records.trial import TrialConditions
from mobilebench_agent.contract import Metric


def cluster(
    first: int, current: float, limit: float, hardware: float, when: str = "after"
) -> dict[str, float]:
    name = f"{when}_cpu{first}_frequency"
    return {f"{name}_current": current, f"{name}_limit": limit, f"{name}_hardware_limit": hardware}


PHONE = {
    **cluster(0, 0.3e9, 1.8e9, 1.8e9),
    **cluster(4, 2.2e9, 2.2e9, 2.2e9),
    **cluster(7, 2.4e9, 2.4e9, 2.8e9),
}


def test_a_limit_below_the_hardwares_is_a_cap_where_the_trial_could_run() -> None:
    assert conditions.capped(PHONE) == "cpu7 is limited to 2.40 GHz of 2.80 GHz"
    assert conditions.capped(PHONE, [4, 5, 6]) == ""
    assert conditions.capped(PHONE, [3, 7]).startswith("cpu7")
    earlier = cluster(0, 1.8e9, 1.2e9, 1.8e9, "before")
    assert conditions.capped(earlier) == "cpu0 is limited to 1.20 GHz of 1.80 GHz"


def test_a_busy_cluster_far_below_its_limit_was_slowed_down() -> None:
    # The idle cluster of CPUs 0 to 3 is slow, and may be.
    assert conditions.slowed({**PHONE, "last_cpu": 5}) == ""
    slow = {**PHONE, **cluster(4, 1.1e9, 2.2e9, 2.2e9), "last_cpu": 5}
    assert conditions.slowed(slow) == "cpu4 at 1.10 GHz of 2.20 GHz"
    assert conditions.capped(slow, [4, 5]) == ""


def test_a_device_that_reports_nothing_is_not_capped() -> None:
    assert conditions.capped({}) == conditions.throttled({}) == conditions.loaded({}, 4) == ""
    assert conditions.slowed({"after_cpu0_frequency_current": 1e9, "last_cpu": 0}) == ""
    assert conditions.stopped({}) == ""
    assert not conditions.replugged({"before_battery_plugged": 1})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"thermal_throttle_core": 3}, "3 thermal throttle events of the core"),
        ({"thermal_throttle_package": 1}, "1 thermal throttle event of the package"),
        ({"after_thermal_status": 2}, "thermal status 2"),
        ({"after_firmware_throttled": 0x5}, "under-voltage, throttled"),
        # Between both readings, which saw nothing.
        (
            {"before_firmware_throttled": 0x10000, "after_firmware_throttled": 0x30000},
            "frequency capped",
        ),
        ({"before_firmware_throttled": 0x50000, "after_firmware_throttled": 0x50000}, ""),
        ({"thermal_throttle_core": 0}, ""),
    ],
)
def test_what_slowed_it_down_is_named(values: dict[str, float], words: str) -> None:
    assert conditions.throttled(values) == words


def test_a_quota_that_stopped_it() -> None:
    values = {"cgroup_throttled_time": 2_000_000.0}
    assert conditions.stopped(values) == "a CPU quota stopped it for 2 ms"
    assert conditions.stopped({"cgroup_throttled_time": 0.0}) == ""
    told = [Metric("cgroup_throttled_time", "ns", "cpu.stat", 2_000_000)]
    assert conditions.describe(told, TrialConditions()).throttled == conditions.stopped(values)


@pytest.mark.parametrize(
    ("other", "cpus", "threads", "is_loaded"),
    [(0.05, 1, 1, False), (0.2, 1, 1, True), (0.5, 2, 1, False), (0.7, 2, 1, True),
     (2.0, 8, 4, False), (0.3, 8, 8, True), (3.0, 0, 1, False)],
)  # fmt: skip
def test_load_counts_by_the_room_that_the_trial_leaves(
    other: float, cpus: int, threads: int, is_loaded: bool
) -> None:
    values = {"cpu_load_other": other / 2, "cpu_load_stolen": other / 2}
    assert bool(conditions.loaded(values, cpus, threads)) == is_loaded


def test_the_host_s_own_process_is_none_of_the_others() -> None:
    values = {"cpu_load_other": 0.25, "cpu_load_host": 0.2}
    assert not conditions.loaded(values, 1)
    assert conditions.loaded({**values, "cpu_load_host": 0.1}, 1)
    metrics = [Metric(name, "CPUs", "a test", value) for name, value in values.items()]
    assert conditions.describe(metrics, TrialConditions()).load_other == pytest.approx(0.05)


def test_load_of_a_few_ticks_is_none() -> None:
    """A trial of 20 ms has two ticks on each CPU: whoever runs when they fall has all the load."""
    told = TrialConditions((0, 1))
    few = Metric("cpu_load_other", "CPUs", "stat", 1.5, 0.5)
    many = Metric("cpu_load_other", "CPUs", "stat", 1.5, 0.01)
    assert not conditions.describe([few], told).loaded
    assert conditions.describe([many], told).loaded


def test_a_trials_conditions_come_from_its_metrics() -> None:
    metrics = [
        *(Metric(name, "Hz", "cpufreq", value) for name, value in PHONE.items()),
        Metric("last_cpu", "1", "stat", 7),
        Metric("after_zone0_temperature", "°C", "zone", 61.0),
        Metric("after_zone1_temperature", "°C", "zone", 38.0),
        Metric.unavailable("cpu_load_other", "CPUs", "/proc/stat", "Permission denied"),
    ]
    told = TrialConditions((4, 5, 7), {"cpu0": "schedutil", "cpu7": "schedutil"})
    found = conditions.describe(metrics, told)
    assert (found.frequency, found.limit, found.temperature) == (2.4e9, 2.4e9, 61.0)
    assert (found.load_other, found.cpus, found.governors) == (None, (4, 5, 7), ("schedutil",))
    assert found.capped
    assert not found.throttled
    same = conditions.findings([found, conditions.describe((), TrialConditions())])
    assert same == ("Capped in 1 of 2 trials: cpu7 is limited to 2.40 GHz of 2.80 GHz.",)
