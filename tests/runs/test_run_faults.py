"""What goes wrong in the middle of a run on this machine, with real agents in real processes.

No finished trial is lost, none counts twice, and every failure has a reason.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from mobilebench import clock
from mobilebench.runs import run as runs
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite

from tests.support import suites
from tests.support.command import mobilebench, start
from tests.support.models import MODELS
from tests.support.suites import start_a_long_run
from tests.support.watcher import BEGIN, Watcher


def in_mid_trial(action: Callable[[], object]) -> Watcher:
    """Does something when three trials have ended and the next one is being timed."""
    return Watcher(action, 3, "measure")


def suite(**protocol: Any) -> Suite:
    quick = {"blocks": 3, "warmup_seconds": 0, "seconds": 0.3, "runs": 10, **protocol}
    models = [
        {"name": "a", "source": str(MODELS / "small.tflite")},
        {"name": "b", "source": str(MODELS / "small_int8.tflite")},
    ]
    return Suite.model_validate({"name": "faults", "protocol": quick, "models": models})


def agents(host: int = os.getpid()) -> list[int]:
    """The processes of agents that this process has started, or another one."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if parent == host and any(b"agent" in Path(os.fsdecode(w)).name.encode()
                                         for w in words if w):  # fmt: skip
            found.append(int(status.parent.name))
    return found


def send(number: signal.Signals) -> list[int]:
    ended = agents()
    for pid in ended:
        os.kill(pid, number)
    return ended


def ended(pid: int, seconds: float = 120) -> bool:
    """Whether a process has ended, or does so within that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":  # nobody has asked for its code
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_an_agent_ends_with_its_host(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of a trial of ten minutes."""
    quick = "[protocol]\nblocks = 2\nwarmup_seconds = 0.0\nseconds = 600\ntimeout_seconds = 900\n"
    path = suites.suite(tmp_path, suites.model("a", "small.tflite"), quick)
    process = start("run", path, "--results", tmp_path / "results")
    lines = tmp_path / "results"
    while process.poll() is None and not list(lines.glob("*/trials.jsonl")):
        time.sleep(0.02)
    while process.poll() is None and not (found := agents(process.pid)):
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), errors
    assert all(map(ended, found))
    if number != signal.SIGKILL:
        assert "go on with: mobilebench run --resume" in errors


def ensure_each_once(folder: RunFolder) -> None:
    """Every planned trial has one line and, if it is a valid latency trial, its samples."""
    planned = [entry.trial for entry in folder.run().plan]
    assert Counter(record.trial for record in folder.attempts()) == Counter(planned)
    sizes = {trial: values.size for trial, values in folder.samples()}
    assert sizes == {r.trial: r.samples for r in folder.trials() if r.samples}


def test_an_agent_that_is_killed_in_mid_trial(tmp_path: Path) -> None:
    watcher = in_mid_trial(lambda: send(signal.SIGKILL))
    folder = runs.start(suite(), tmp_path, ["test"], watcher)
    (failed,) = [record for record in folder.trials() if record.state != "valid"]
    assert failed.code == "agent_died"
    assert "was killed by SIGKILL (out of memory?)" in failed.reason
    assert runs.exit_code(folder) == 1
    ensure_each_once(folder)


def test_a_cache_that_is_cleared_in_mid_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it: what a run needs has been copied to its folder, or is made again."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(cache))
    watcher = Watcher(lambda: shutil.rmtree(cache), 0, BEGIN)
    folder = runs.start(suite(), tmp_path / "results", ["test"], watcher)
    assert {record.state for record in folder.trials()} == {"valid"}
    answers = [t.answers for t in folder.trials() if t.kind == "outputs"]
    assert answers
    assert all(found and found.parity for found in answers)
    ensure_each_once(folder)


@pytest.mark.alone
def test_an_agent_that_hangs_in_mid_trial(tmp_path: Path) -> None:
    stopped: list[int] = []
    watcher = in_mid_trial(lambda: stopped.extend(send(signal.SIGSTOP)))
    folder = runs.start(suite(timeout_seconds=5), tmp_path, ["test"], watcher)
    (failed,) = [record for record in folder.trials() if record.state != "valid"]
    assert (failed.code, failed.reason) == ("timeout", "no answer within 5 s")
    assert stopped
    assert not set(stopped) & set(agents())
    ensure_each_once(folder)


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_is_set_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Stands for somebody who sets the clock: the wall clock that Python reads jumps."""
    step = timedelta()

    class Wall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + step

    real = time.time
    monkeypatch.setattr(clock, "datetime", Wall)
    monkeypatch.setattr(time, "time", lambda: real() + step.total_seconds())

    def set_clock() -> None:
        nonlocal step
        step = timedelta(days=days)

    begin = datetime.now(UTC) - timedelta(seconds=1)
    folder = runs.start(suite(), tmp_path, ["test"], in_mid_trial(set_clock))
    end = datetime.now(UTC) + timedelta(seconds=1)
    assert step
    run, trials = folder.run(), folder.trials()
    stamps = [run.created, *(r.started for r in trials), run.finished]
    moments = [datetime.fromisoformat(stamp) for stamp in stamps]
    assert begin <= moments[0]
    assert moments[1:-1] == sorted(moments[1:-1])
    assert moments[-1] <= end
    assert all(0 < record.seconds < (end - begin).total_seconds() for record in trials)
    assert {record.state for record in trials} == {"valid"}
    ensure_each_once(folder)


def test_a_disk_that_fills_up_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """The run may write a hundred bytes more, and no line is so short."""
    process, path = start_a_long_run(tmp_path)
    lines = path / "trials.jsonl"
    limit = lines.stat().st_size + 100
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 4, errors
    assert "could not write" in errors
    assert f"mobilebench run --resume {path}" in errors
    assert "Traceback" not in errors
    before = RunFolder.open(path).attempts()
    assert before
    done = mobilebench("run", "--resume", path)
    assert done.returncode == 0, done.stderr
    folder = RunFolder.open(path)
    assert folder.attempts()[: len(before)] == before
    ensure_each_once(folder)


def test_a_host_that_is_killed_again_and_again(tmp_path: Path) -> None:
    process, path = start_a_long_run(tmp_path)
    lines = path / "trials.jsonl"
    kept: list[bytes] = []
    for more in (0, 1, 2):
        had = lines.read_bytes().count(b"\n")
        while process.poll() is None and lines.read_bytes().count(b"\n") < had + more:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
        whole = lines.read_bytes().rpartition(b"\n")[0].split(b"\n")
        assert whole[: len(kept)] == kept
        kept = whole
        process = start("run", "--resume", path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert lines.read_bytes().split(b"\n")[: len(kept)] == kept
    ensure_each_once(RunFolder.open(path))
