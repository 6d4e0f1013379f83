"""Whose code a run that goes on may run: functions of data files that this user began it with.

A run's folder may be somebody else's, so nothing in it says what is run. What says so is a note in
the user's own cache, made when the run began: where the folder and the data file are, and the
file's SHA-256.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobilebench.cache import cache_folder
from mobilebench.errors import BadInputError
from mobilebench.files import disk_errors, write_atomically
from mobilebench.models.hooks import Hooks, read_hooks

_ENCODING = "utf-8"


def note(folder: Path, hooks: Mapping[str, Hooks]) -> None:
    """Notes which data files of each model's a run begins with, where functions of theirs score.

    Args:
        folder: of the run.
        hooks: by model.
    """
    files = {}
    for model, found in hooks.items():
        if found.decode is not None or found.evaluate is not None:
            path = Path(found.origin).resolve()
            files[model] = {"path": str(path), "sha256": _sha256(path)}
    if not files:
        return
    place = _place(folder)
    with disk_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(files).encode(_ENCODING))


def noted(folder: Path) -> dict[str, Hooks]:
    """The functions, by model, of data files that are still those which the run began with.

    Args:
        folder: of the run.
    """
    try:
        files: Mapping[str, Any] = json.loads(_place(folder).read_text(_ENCODING))
        known = {model: (Path(file["path"]), file["sha256"]) for model, file in files.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
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
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
