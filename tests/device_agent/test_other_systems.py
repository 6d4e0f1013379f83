"""Counters of systems without /proc: psutil stands for macOS and Windows on this machine."""

from __future__ import annotations

import importlib
import os
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from mobilebench_agent import environment, load, memory, other_systems

ROOT = Path("/")


@pytest.fixture(params=["darwin", "win32"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    monkeypatch.setattr(sys, "platform", name)
    # Windows has no sysconf, and nobody needs it elsewhere; neither system has the others.
    for missing in ("sysconf", "sched_getaffinity", "sched_setaffinity"):
        monkeypatch.delattr(os, missing, raising=False)
    if name == "win32":
        info = SimpleNamespace(rss=50 << 20, peak_wset=70 << 20)
        monkeypatch.setattr(psutil.Process, "memory_info", lambda _: info)
    else:
        usage = SimpleNamespace(ru_maxrss=70 << 20)
        resource = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda _: usage)
        monkeypatch.setitem(sys.modules, "resource", resource)
    times = namedtuple("times", "user nice system idle")
    monkeypatch.setattr(psutil, "cpu_times", lambda: times(10.0, 0.0, 5.0, 100.0))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 8)  # psutil's own asks sysconf here
    own = SimpleNamespace(user=1.0, system=0.5)
    monkeypatch.setattr(psutil.Process, "cpu_times", lambda _: own)
    return name


@pytest.mark.usefixtures("system")
def test_memory_has_numbers_or_reasons() -> None:
    found = memory.read(Path("/proc/self"))
    assert found.bytes["VmRSS"] > 1 << 20
    assert found.bytes["VmHWM"] == 70 << 20, "macOS and Windows count the peak in bytes"
    assert found.why_not("smaps_rollup", "Pss") == "this system does not count it"
    assert found.why_not("status", "RssAnon") == "this system does not count it"
    grown = memory._growth("memory_rss", "status", "VmRSS", found, found)
    assert grown.value == 0
    assert "psutil" in grown.source
    missing = memory._growth("memory_pss", "smaps_rollup", "Pss", found, found)
    assert missing.value is None
    assert missing.reason


@pytest.mark.usefixtures("system")
def test_load_of_others_is_counted_and_stolen_time_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load.read(ROOT, [])
    busy = psutil.cpu_times()._replace(user=12.0, system=6.0)
    monkeypatch.setattr(psutil, "cpu_times", lambda: busy)
    after = load.read(ROOT, [])
    after = replace(after, time_ns=before.time_ns + 2_000_000_000, own=before.own + 100)
    other, stolen = load.between(ROOT, before, after)
    assert other.value == pytest.approx((200 + 100 - 100) / 200), "of 3 s busy, 1 s was its own"
    assert stolen.value is None
    assert stolen.reason == "this system does not count it"
    assert load.last_cpu(ROOT, after).reason == "this system does not report it"


@pytest.mark.usefixtures("system")
def test_all_around_a_trial_is_a_number_or_has_a_reason() -> None:
    metrics = environment.Environment(ROOT).end()
    assert {m.name for m in metrics} >= {"cpu_load_other", "cpu_load_stolen", "last_cpu"}
    assert all(m.value is not None or m.reason for m in metrics)


@pytest.mark.usefixtures("system")
def test_without_psutil_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", none)
    assert "pip install psutil" in load.read(ROOT, []).reason
    found = memory.read(Path("/proc/self"))
    assert not found.bytes
    assert "pip install psutil" in found.why_not("status", "VmRSS")


@pytest.mark.usefixtures("system")
def test_a_recorded_tree_is_read_on_any_system(tmp_path: Path) -> None:
    assert not other_systems.is_meant(tmp_path)
    assert "psutil" not in load.read(tmp_path, []).reason


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_linux_never_asks_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_systems, "_psutil", lambda: pytest.fail("a board has none"))
    assert not other_systems.is_meant(ROOT)
    assert not load.read(ROOT, []).reason
    assert memory.read(Path("/proc/self")).bytes
