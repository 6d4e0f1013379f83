"""Energy trials end to end: the real agent and real inference on a simulated counter.

The counter is a simulation, named so in its path: a thread advances it by the processor time that
the agent's process really used. What is shown is the way from a counter to a table and a verdict,
and that a machine without one says so.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from mobilebench.store.folder import RunFolder
from mobilebench_agent import system_files

from tests.support import power_trees as trees
from tests.support.command import mobilebench
from tests.support.models import MODELS

#: Of the simulated package: at rest, and for one processor that works.
IDLE_WATTS, WORK_WATTS = 3.0, 8.0

SUITE = f"""
[protocol]
blocks = 1
warmup_seconds = 0.0
seconds = 0.0
runs = 10
energy_seconds = 0.2

[[models]]
name = "small"
source = "{MODELS / "small.tflite"}"
recipes = ["as_is"]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "suite.toml"
    path.write_text(SUITE, "utf-8")
    return path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "simulation"
    monkeypatch.setenv(system_files.ROOT_VARIABLE, str(folder))
    return folder


@pytest.mark.alone
def test_a_run_on_a_simulated_counter(tree: Path, suite: Path, tmp_path: Path) -> None:
    trees.write(tree, trees.RAPL)
    package = tree / "sys/class/powercap/intel-rapl:0"
    (tree / "sys/class/powercap/intel-rapl:0:1/name").write_text("uncore\n")
    most = int(trees.RAPL["powercap/intel-rapl:0/max_energy_range_uj"])
    # Near its end, so that it wraps within the trial.
    total = most - 1e6
    work: list[tuple[int, float]] = [(0, 0.0)]

    def update(seconds: float, new: float) -> None:
        nonlocal total
        total += 1e6 * (IDLE_WATTS * seconds + WORK_WATTS * new)
        work.append((time.monotonic_ns(), work[-1][1] + new))
        trees.put(package / "energy_uj", str(int(total % most)))

    # The agents of this session alone.
    with trees.Simulation(update, str(Path(os.environ["MOBILEBENCH_CACHE"]) / "agent-")):
        done = mobilebench("run", suite, "--energy", "--results", tmp_path / "results", "--json")
    assert done.returncode == 0, done.stderr
    (variant,) = json.loads(done.stdout)["variants"]
    joules = variant["energy_per_inference_joules"]
    assert variant["energy_per_inference_joules_reason"] == ""
    assert variant["energy_windows_or_trials"] == 10
    assert variant["energy_source"].startswith(f"RAPL ({tree}")
    low, high = (variant[f"energy_per_inference_joules_{end}"] for end in ("low", "high"))
    assert low <= joules <= high
    assert 0 < variant["idle_watts"] < variant["load_watts"]
    (path,) = (tmp_path / "results").iterdir()
    (trial,) = [t for t in RunFolder.open(path).trials() if t.kind == "energy"]
    assert len(trial.windows) == 20
    # The simulation kept account of the work, by the same clock as the agent.
    times, works = zip(*work, strict=True)
    known = [
        WORK_WATTS * (np.interp(w.end_ns, times, works) - np.interp(w.start_ns, times, works))
        / w.inferences
        for w in trial.windows
        if w.load
    ]  # fmt: skip
    # On a busy machine both are late by more than a window's end bears; how exact the sums are is
    # shown in tests/analysis/test_energy.py.
    assert 0.3 < joules / float(np.median(known)) < 3
    assert "Energy by RAPL" in (path / "report.html").read_text("utf-8")
    assert "Energy" in (path / "report.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "has no power counter that can be read"),
        (
            trees.BATTERY | {"power_supply/AC/online": "1"},
            "cannot tell while the machine is on external power (plug AC): pull the plug",
        ),
        (trees.RAPL, "it did not change in any window: suspended"),
    ],
)
def test_a_machine_that_cannot_tell(
    files: dict[str, str], words: str, tree: Path, suite: Path, tmp_path: Path
) -> None:
    trees.write(tree, files)
    done = mobilebench("run", suite, "--energy", "--results", tmp_path / "results", "--json")
    assert done.returncode == 0, done.stderr
    (variant,) = json.loads(done.stdout)["variants"]
    assert variant["energy_per_inference_joules"] is None
    assert words in variant["energy_per_inference_joules_reason"]
    assert f"No energy: {variant['energy_per_inference_joules_reason']}." in variant["warnings"]


def test_energy_is_not_measured_unasked(suite: Path, tmp_path: Path) -> None:
    done = mobilebench("run", suite, "--results", tmp_path / "results", "--json")
    (variant,) = json.loads(done.stdout)["variants"]
    assert "--energy asks for it" in variant["energy_per_inference_joules_reason"]
    assert "energy" not in variant["warnings"].lower()
