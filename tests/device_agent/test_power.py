"""The readers of power counters on trees of sysfs, well and hostile."""

from pathlib import Path

import pytest
from mobilebench_agent import power

from tests.support import power_trees as trees


def test_rapl_adds_packages_and_memory_and_leaves_parts_out(tmp_path: Path) -> None:
    found, reasons = power.find(trees.write(tmp_path, trees.RAPL))
    assert reasons == ()
    assert [(c.name, c.path.parent.name, c.maximum) for c in found] == [
        ("RAPL", "intel-rapl:0", 262143328850.0),
        ("RAPL", "intel-rapl:0:1", 65712999613.0),
    ]
    assert {(c.quantity, c.unit, c.downstream) for c in found} == {("energy", "µJ", True)}


def test_hwmon_has_a_channel_once(tmp_path: Path) -> None:
    found, _ = power.find(trees.write(tmp_path, trees.HWMON))
    # An energy before a power before volts and amperes, and no channel twice.
    assert sorted({(c.name, c.quantity, c.unit) for c in found}) == [
        ("hwmon amd_energy Esocket0", "energy", "µJ"),
        ("hwmon ina226 power1", "power", "µW"),
        ("hwmon ina3221 VDD_CPU", "current", "mA"),
        ("hwmon ina3221 VDD_CPU", "voltage", "mV"),
        ("hwmon ina3221 VDD_IN", "current", "mA"),
        ("hwmon ina3221 VDD_IN", "voltage", "mV"),
    ]


def test_a_battery_reports_its_plug_and_a_mouse_is_none_of_ours(tmp_path: Path) -> None:
    found, _ = power.find(trees.write(tmp_path, trees.BATTERY))
    values = {(c.name, c.quantity): c.read() for c in found}
    assert values == {
        ("plug AC", "plugged"): 0,
        ("battery BAT0", "plugged"): 0,
        ("battery BAT0", "current"): 1250000,
        ("battery BAT0", "voltage"): 11400000,
        ("battery BAT0", "charge"): 3120000,
    }
    assert not any(c.downstream for c in found)
    assert power.sources(found) == ("battery BAT0",)


@pytest.mark.parametrize(
    ("status", "plugged"),
    [("Charging", 1), ("Full", 1), ("Not charging", 1), ("Discharging", 0), ("Unknown", None)],
)
def test_what_a_status_means(tmp_path: Path, status: str, plugged: int | None) -> None:
    files = trees.BATTERY | {"power_supply/BAT0/status": status}
    found, reasons = power.find(trees.write(tmp_path, files))
    told = [c.read() for c in found if c.path.name == "status"]
    assert told == ([] if plugged is None else [plugged])
    assert bool(reasons) == (plugged is None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it says ''"),
        ("banana", "it says 'banana'"),
        ("-5", "it says -5"),
        ("99999999999999999999999", "it says '9999"),
        ("9223372036854775808", "it says '9223"),
        ("1e9", "it says '1e9'"),
        ("12 34", "it says '12 34'"),
    ],
)
def test_garbage_takes_its_whole_group_out(tmp_path: Path, text: str, why: str) -> None:
    files = trees.RAPL | {"powercap/intel-rapl:0:1/energy_uj": text}
    found, (reason,) = power.find(trees.write(tmp_path, files))
    assert found == ()
    assert reason.startswith("RAPL: ")
    assert why in reason
    assert "intel-rapl:0:1/energy_uj" in reason


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees.write(tmp_path, trees.RAPL)
    read = Path.read_text

    def denied(path: Path, *arguments: object) -> str:
        # As root, in a container, a file's mode would not stop us.
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments)

    monkeypatch.setattr(Path, "read_text", denied)
    found, (reason,) = power.find(tmp_path)
    assert found == ()
    assert "intel-rapl:0/energy_uj: Permission denied" in reason


def test_nothing_at_all(tmp_path: Path) -> None:
    assert power.find(tmp_path) == ((), ())
    absent = trees.BATTERY | {"power_supply/BAT0/present": "0", "power_supply/AC/type": "Fan"}
    assert power.find(trees.write(tmp_path, absent)) == ((), ())


def test_a_counter_that_fails_once_is_out(tmp_path: Path) -> None:
    tree = trees.write(tmp_path, trees.RAPL | trees.BATTERY)
    found, _ = power.find(tree)
    recorder = power.Recorder(found)
    recorder.read()
    trees.put(tree / "sys/class/powercap/intel-rapl:0/energy_uj", "garbage")
    recorder.read()
    recorder.read(moments_only=True)
    assert list(recorder.lost) == ["RAPL"]
    series = {s.quantity: s for s in recorder.series() if s.name == "battery BAT0"}
    assert len(series["current"].values) == 3
    assert len(series["charge"].values) == 2
    assert "RAPL" not in {s.name for s in recorder.series()}
