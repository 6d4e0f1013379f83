"""The command line in a process of its own, as a user has it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mobilebench.store.folder import RunFolder

MOBILEBENCH = (sys.executable, "-m", "mobilebench")


def mobilebench(
    *arguments: object,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 400,
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; ``env`` adds to this process's environment."""
    return subprocess.run(
        [*MOBILEBENCH, *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd,
        env={**os.environ, **(env or {})},
    )  # fmt: skip


def start(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Starts a command whose output the caller reads."""
    return subprocess.Popen(
        [*MOBILEBENCH, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})},
    )  # fmt: skip


def only_run(results: Path) -> RunFolder:
    (path,) = results.iterdir()
    return RunFolder.open(path)
