"""The programs that a build runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from app_build.errors import BuildError

#: The Debian packages that bring the programs a build needs.
DEBIAN_PACKAGES = "openjdk-17-jdk-headless maven npm gcc libc6-dev"


def find(name: str) -> str:
    """The path of a program.

    Raises:
        BuildError: it is not installed; the message says what brings it.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(name, path=f"{home}/bin") if home and name.startswith("java") else None
    found = found or shutil.which(name)
    if found is None:
        raise BuildError(
            f"building the app needs {name}, which is not installed "
            f"(on Debian: apt-get install {DEBIAN_PACKAGES})"
        )
    return found


def run(
    command: Sequence[str | Path], what: str, cwd: Path | None = None, seconds: float = 1200
) -> str:
    """Runs a program and returns what it printed.

    Raises:
        BuildError: it failed; the message has ``what`` and its last words.
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
        raise BuildError(f"{what}: no end after {seconds:g} s") from error
    said = process.stdout.decode("utf-8", "replace").strip()
    if process.returncode:
        raise BuildError(f"{what}: {said[-2000:] or f'exit code {process.returncode}'}")
    return said
