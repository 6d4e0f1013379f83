"""Programs that a build runs, and the folder where it keeps what it fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import harness
from harness.errors import BadInputError

#: The Debian packages that bring the programs a build needs.
DEBIAN_PACKAGES = "openjdk-17-jdk-headless maven npm gcc libc6-dev"


def sources() -> Path:
    """The folder ``android_app`` of this clone.

    Raises:
        BadInputError: this is an installed package, which carries the APK and not its sources.
    """
    folder = Path(harness.__file__).resolve().parents[1] / "android_app"
    if not (folder / "core").is_dir():
        raise BadInputError(
            f"the app's sources are not at {folder}: build from a clone of the repository"
        )
    return folder


def folder() -> Path:
    """Where fetched parts are kept between builds: ``MOBILEBENCH_TOOLS``, or the user's cache."""
    chosen = os.environ.get("MOBILEBENCH_TOOLS")
    if chosen:
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "mobilebench-tools"


def program(name: str) -> str:
    """The path of a program.

    Raises:
        BadInputError: it is not installed; the message says what brings it.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(name, path=f"{home}/bin") if home and name.startswith("java") else None
    found = found or shutil.which(name)
    if found is None:
        raise BadInputError(
            f"building the app needs {name}, which is not installed "
            f"(on Debian: apt-get install {DEBIAN_PACKAGES})"
        )
    return found


def run(
    command: Sequence[str | Path], what: str, cwd: Path | None = None, seconds: float = 1200
) -> str:
    """Runs a program and returns what it printed.

    Raises:
        BadInputError: it failed; the message has ``what`` and its last words.
    """
    environment: Mapping[str, str] = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    try:
        process = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BadInputError(f"{what}: no end after {seconds:g} s") from error
    said = process.stdout.decode("utf-8", "replace").strip()
    if process.returncode:
        raise BadInputError(f"{what}: {said[-2000:] or f'exit code {process.returncode}'}")
    return said
