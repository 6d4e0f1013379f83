"""What CI runs on macOS and Windows can be collected there: here, without what Windows lacks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: Pytest in a Python without the modules and names that Windows has not.
_COLLECT = """
import os, signal, sys
import pytest, psutil
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("fork", "geteuid", "getpgid", "killpg", "setsid"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL"):
    delattr(signal, name)
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""


def test_the_tests_of_other_hosts_are_collected_without_what_windows_lacks() -> None:
    workflow = (ROOT / ".github/workflows/hosts.yml").read_text("utf-8")
    found = re.search(r"python -m pytest -q ((?:tests/\S+\s+)+)", workflow)
    assert found
    done = subprocess.run(
        [sys.executable, "-c", _COLLECT, *found.group(1).split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
