"""One stored run's table and settings, read quickly: from ``summary.csv`` where that will do."""

from __future__ import annotations

import csv
import functools
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebench.analysis.comparability import setting
from mobilebench.analysis.rows import frame
from mobilebench.errors import BadInputError
from mobilebench.records.key import Key
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import MANIFEST, TABLE, TRIALS, RunFolder
from mobilebench.text import plain

#: What of a row is kept: thousands of runs are looked at together.
_OF_EVERY = ("artifact_sha256", "virtual_device", "disturbed_by_load")
_OF_METRIC = ("low", "high", "confidence", "reason")


@dataclass(frozen=True)
class StoredRun:
    """A finished run.

    Attributes:
        name: of the run.
        created: its UTC time.
        rows: what ``summary.csv`` has of one metric of each variant in each place, as text or as
            numbers.
        settings: what must agree before two runs are compared, by device and runtime.
    """

    name: str
    created: str
    rows: Mapping[Key, Mapping[Any, Any]]
    settings: Mapping[tuple[str, str], Mapping[str, Any]]


def run_folders(paths: Sequence[Path]) -> list[Path]:
    """The runs of some folders, each of which is one or holds some.

    Raises:
        BadInputError: there is no run.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            raise BadInputError(f"there is no folder {path}")
        inside = [path] if (path / MANIFEST).is_file() else []
        inside = inside or sorted(file.parent for file in path.glob(f"*/{MANIFEST}"))
        if not inside:
            raise BadInputError(f"{path} is no results folder, and no folder of them")
        found |= {run.resolve(): run for run in inside}
    return list(found.values())


def read_stored(
    folder: RunFolder, column: str, rows: Sequence[Mapping[Any, Any]] | None = None
) -> StoredRun:
    """One run's rows and settings.

    Args:
        folder: the run.
        column: of ``summary.csv``; where the file lacks it, the run is summarised anew.
        rows: of the run, where they are known already.

    Raises:
        BadInputError: it is damaged, or not finished.
    """
    run = folder.run()
    if run.state != "finished":
        raise BadInputError(f"it is not finished (state: {run.state})")
    settings = {
        _place(device.name, runtime.name): _shared(setting(device, runtime, run.suite.protocol))
        for device in run.devices
        for runtime in run.runtimes
    }
    if rows is None and is_current(folder.path):
        rows = _table(folder.path / TABLE, column)
    if rows is None:
        rows = frame(summary_of(folder)).to_dict("records")
    kept = (*_OF_EVERY, column, *(f"{column}_{part}" for part in _OF_METRIC))
    return StoredRun(
        run.name,
        run.created,
        {_key(row): {name: _once(row[name]) for name in kept if name in row} for row in rows},
        settings,
    )


def _key(row: Mapping[Any, Any]) -> Key:
    model, recipe, device, runtime = (
        sys.intern(_name(row[part])) for part in ("model", "recipe", "device", "runtime")
    )
    return Key(model, recipe, device, runtime)


def _place(device: str, runtime: str) -> tuple[str, str]:
    return sys.intern(plain(device)), sys.intern(plain(runtime))


def _once(value: Any) -> Any:
    """The value; a text that thousands of runs have is in memory once."""
    return sys.intern(value) if type(value) is str else value


def _shared(agreed: Mapping[str, Any]) -> Mapping[str, Any]:
    """The setting; one that thousands of runs have is in memory once."""
    try:
        return _setting(tuple(agreed.items()))
    except TypeError:  # a fact that is a list
        return agreed


@functools.lru_cache(maxsize=1024)
def _setting(items: tuple[tuple[str, Any], ...]) -> Mapping[str, Any]:
    return dict(items)


def is_current(path: Path) -> bool:
    """Whether the summary is as new as the trials that it sums up."""
    try:
        return (path / TABLE).stat().st_mtime_ns >= (path / TRIALS).stat().st_mtime_ns
    except OSError:
        return False


def number(value: object) -> float | None:
    """A cell as a number; None where it is empty or none."""
    try:
        found = float(str(value))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _table(path: Path, column: str) -> list[dict[str, str]] | None:
    """The rows of a ``summary.csv``; None where another version wrote it, or it is damaged."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            wanted = {"model", "recipe", "device", "runtime", "virtual_device", column}
            return list(reader) if wanted <= set(reader.fieldnames or ()) else None
    except (OSError, ValueError, csv.Error):
        return None


def _name(text: object) -> str:
    """A name as it was before it was guarded against spreadsheets."""
    name = plain(text)
    return name[1:] if name[:2] in ("'=", "'+", "'-", "'@") else name
