"""Whose code a run that goes on may run: what this user began it with, or has agreed to.

A run's folder may be somebody else's, so nothing in it says what is run. What says so is a note in
the user's own cache, made when the run began: where the folder and its data files are, with their
SHA-256, and which programs its devices start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobilebench.cache import cache_folder
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError
from mobilebench.files import disk_errors, sha256_of, write_atomically
from mobilebench.models.hooks import Hooks, read_hooks
from mobilebench.text import plain

_ENCODING = "utf-8"


def note(folder: Path, hooks: Mapping[str, Hooks], devices: Sequence[DeviceSpec]) -> None:
    """Notes what a run begins with: programs of its devices, and data files that score answers.

    Args:
        folder: of the run.
        hooks: by model.
        devices: of its suite.
    """
    files = {}
    for model, found in hooks.items():
        if found.decode is not None or found.evaluate is not None:
            path = Path(found.origin).resolve()
            files[model] = {"path": str(path), "sha256": _sha256(path)}
    programs = _programs(devices)
    if files or programs:
        _write(folder, {"data": files, "programs": programs})


def trust(folder: Path, devices: Sequence[DeviceSpec]) -> None:
    """Notes that the user agrees to what the devices of a run start."""
    _write(folder, {"data": {}, "programs": _programs(devices)})


def ensure_trusted(folder: Path, devices: Sequence[DeviceSpec]) -> None:
    """Sees that the devices of a run start nothing that this user does not know of.

    Raises:
        UntrustedRunError: they do.
    """
    programs = _programs(devices)
    known = _read(folder).get("programs")
    if any(program not in known for program in programs) if isinstance(known, list) else programs:
        raise UntrustedRunError(
            f"{folder} was not begun here by you, and to go on with it is to use what it names: "
            f"{', '.join(map(plain, programs))}; if you know who made it, repeat the command with "
            "--trust"
        )


class UntrustedRunError(BadInputError):
    """A run's folder is somebody else's, and would start programs of its choice."""


def _programs(devices: Sequence[DeviceSpec]) -> list[str]:
    """What devices start or reach that a suite can name freely."""
    named = (
        (f"{key} {value} of device {device.name}", value)
        for device in devices
        for key, value in (
            ("the interpreter", device.python),
            ("the program", device.binary),
            ("the machine", device.address if "://" in device.address else None),
        )
    )
    return [text for text, value in named if value]


def _write(folder: Path, document: Mapping[str, Any]) -> None:
    place = _place(folder)
    with disk_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(document).encode(_ENCODING))


def _read(folder: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(_place(folder).read_text(_ENCODING))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def noted(folder: Path) -> dict[str, Hooks]:
    """The functions, by model, of data files that are still those which the run began with.

    Args:
        folder: of the run.
    """
    try:
        files: Mapping[str, Any] = _read(folder)["data"]
        known = {model: (Path(file["path"]), file["sha256"]) for model, file in files.items()}
    except (TypeError, KeyError, AttributeError):
        return {}
    found = {}
    for model, (path, sha256) in known.items():
        if sha256 and _sha256(path) == sha256:
            with contextlib.suppress(BadInputError):  # as where it had a neighbour then
                found[model] = read_hooks(str(path))
    return found


def _place(folder: Path) -> Path:
    address = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
    return cache_folder() / "own-code" / f"{address}.json"


def _sha256(path: Path) -> str:
    """Empty if the file is not there."""
    try:
        return sha256_of(path)
    except OSError:
        return ""
