"""The command line, as a user has it: the one place here that names the project's package."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner
from mobilebench import crash
from mobilebench.cli.main import main

#: No terminal, 120 columns where a width is asked for, no colours, and no zone but UTC.
_ENVIRONMENT = {
    "COLUMNS": "120", "LINES": "50", "TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": None,
    "CLICOLOR_FORCE": None, "TTY_COMPATIBLE": None, "TTY_INTERACTIVE": None, "TZ": "UTC",
}  # fmt: skip


def mobilebench(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """What a command says, from its own line to its exit code; it is run in that folder.

    Raises:
        AssertionError: it crashed; with what it said, and its crash log.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.chdir(folder):
            done = CliRunner(env={**_ENVIRONMENT, **environment}).invoke(main, arguments)
    finally:
        signal.signal(signal.SIGTERM, before)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    said = f"$ mobilebench {' '.join(arguments)}\n{done.stdout}"
    if done.stderr:
        said += f"--- standard error\n{done.stderr}"
    said = f"{said.rstrip()}\n--- exit code {done.exit_code}\n"
    if done.exit_code == crash.EXIT_CODE:
        logs = Path(environment["MOBILEBENCH_CACHE"]).glob("crashes/*.log")
        raise AssertionError("\n".join([said, *(log.read_text("utf-8") for log in logs)]))
    return said
