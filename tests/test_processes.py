"""Child processes end with all that they started, on any system."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest
from mobilebench import processes

_CHILD = "import time; time.sleep(600)"
_PARENT = (
    "import subprocess, sys, time\n"
    f"child = subprocess.Popen([sys.executable, '-c', {_CHILD!r}])\n"
    "print(child.pid, flush=True)\n"
)


def _started(code: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **processes.apart()
    )
    assert process.stdout is not None
    return process, psutil.Process(int(process.stdout.readline()))


def _is_gone(process: psutil.Process) -> bool:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("has_groups", [True, False])
def test_a_process_ends_with_its_children(
    has_groups: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_groups:  # as on Windows
        monkeypatch.delattr(os, "killpg")
    process, child = _started(_PARENT + "time.sleep(600)")
    processes.kill_tree(process)
    assert process.wait(timeout=120) != 0
    assert _is_gone(child)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")
def test_a_child_ends_whose_parent_has_gone() -> None:
    process, child = _started(_PARENT)
    assert process.wait(timeout=120) == 0
    processes.kill_tree(process)
    assert _is_gone(child)


def test_windows_makes_a_group_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    assert processes.apart() == {"creationflags": 512}
