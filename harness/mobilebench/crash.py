"""What is left of an unexpected exception: one sentence, and a crash log with all the rest."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from mobilebench.cache import cache_folder
from mobilebench.errors import first_line
from mobilebench.version import __version__

#: What every command ends with then: EX_SOFTWARE of sysexits.h, and the verdict of no gate.
EXIT_CODE = 70

_PACKAGES = ("ai-edge-litert", "tensorflow", "keras", "numpy", "scipy", "pandas", "click", "rich")
_LONGEST = 300


def reason(error: BaseException) -> str:
    """What happened, without where it is written down: for a gate's outputs."""
    return f"a fault of MobileBench, not of the models: {_what(error)}"


def sentence(error: BaseException, command: Sequence[str]) -> str:
    """Writes the crash log, and says in one sentence what failed and what to do.

    Args:
        error: what nobody expected; what was added to it as notes is said as well.
        command: the command line; of a path in it only the last part is kept.
    """
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    text = _log(error, command)
    try:
        path = _write(text)
    except OSError as refused:
        where = f"no crash log could be written ({first_line(refused)}), so it follows"
        return f"{reason(error)}{notes}; {where}: please report it\n{text}"
    return f"{reason(error)}{notes}; please report it with the crash log {path}"


def _what(error: BaseException) -> str:
    said = str(error).strip()
    line = f"{type(error).__name__}: {first_line(error)}" if said else type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _log(error: BaseException, command: Sequence[str]) -> str:
    versions = "".join(f"{name} {_version(name)}\n" for name in _PACKAGES)
    shown = " ".join(map(_without_folders, command))
    trace = "".join(traceback.format_exception(error))
    text = (
        f"{datetime.now(UTC).isoformat(timespec='seconds')}\n"
        f"command: {shown}\n\n{trace}\n"
        f"mobilebench {__version__}\npython {platform.python_version()}\n"
        f"{platform.platform()}\n{versions}"
    )
    # Logs are sent to others, whom the names of a user's folders do not concern.
    for folder, name in ((str(Path.cwd()), "."), (str(Path.home()), "~")):
        if len(folder) > 1:
            text = text.replace(folder, name)
    return text


def _without_folders(argument: str) -> str:
    option, equals, value = argument.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_without_folders(value)}"
    folder, _, name = argument.rstrip("/").rpartition("/")
    return f"…/{name}" if folder else argument


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "is not installed"


def _write(text: str) -> Path:
    """Writes the log under a name of its own, readable for its user alone."""
    folder = cache_folder() / "crashes"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(".log", f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-", folder)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(name)


def report(error: BaseException) -> None:
    """Prints its sentence on the error stream, if somebody still reads that."""
    try:
        text = sentence(error, ["mobilebench", *sys.argv[1:]])
        print(f"mobilebench: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
