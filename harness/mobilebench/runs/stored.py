"""One stored run's table and settings, read quickly: from ``summary.csv`` where that will do.

Thousands of runs are looked at together: of each, only what a series needs is read and kept, and
what runs share is in memory once.
"""

from __future__ import annotations

import csv
import functools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from mobilebench.analysis.comparability import setting
from mobilebench.analysis.estimates import Interval
from mobilebench.errors import BadInputError
from mobilebench.records.key import Key
from mobilebench.records.run import read_circumstances, read_identity
from mobilebench.store.folder import MANIFEST, TABLE, TRIALS, RunFolder
from mobilebench.text import plain

Settings = Mapping[tuple[str, str], Mapping[str, Any]]

#: The parts of ``run.json`` that most runs of a suite have alike, and what they need to be one.
_SHARED = ("format", "suite", "devices", "runtimes")
_ANY_RUN = {"name": "", "run": "", "state": "finished", "created": "2000-01-01T00:00:00Z"}

#: The columns of a row that are kept, beside those of a metric.
_IDENTITY = ("model", "recipe", "device", "runtime")
_OF_EVERY = (*_IDENTITY, "artifact_sha256", "virtual_device", "disturbed_by_load")
_OF_METRIC = ("", "_low", "_high", "_confidence", "_reason")


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One metric of one variant in one place; ``value`` is None where ``reason`` says why."""

    value: float | None
    interval: Interval | None
    reason: str
    artifact: str
    virtual: bool
    disturbed_by_load: bool


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A finished run.

    Attributes:
        name: of the run.
        created: its UTC time.
        rows: one metric of each variant in each place.
        settings: what must agree before two runs are compared, by device and runtime.
    """

    name: str
    created: str
    rows: Mapping[Key, StoredRow]
    settings: Settings


def run_folders(paths: Sequence[Path]) -> list[Path]:
    """The runs of some folders, each of which is one or holds some; each once, in order.

    Raises:
        BadInputError: there is no run.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.is_dir():
            raise BadInputError(f"there is no folder {path}")
        if (path / MANIFEST).is_file():
            found[os.path.realpath(path)] = path
            continue
        parent = os.path.realpath(path)
        names = sorted(_names_of_runs(path))
        if not names:
            raise BadInputError(f"{path} is no results folder, and no folder of them")
        for name, is_link in names:
            there = os.path.join(parent, name)
            found[os.path.realpath(there) if is_link else there] = path / name
    return list(found.values())


def _names_of_runs(path: Path) -> Iterable[tuple[str, bool]]:
    """The folders in one that are runs; whether each is a link."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if os.path.isfile(os.path.join(entry.path, MANIFEST)):
                    yield entry.name, entry.is_symlink()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error


def read_stored(
    path: Path, column: str, rows: Iterable[Mapping[Any, Any]] | None = None
) -> StoredRun:
    """One run's rows and settings.

    Args:
        path: the run's folder.
        column: of ``summary.csv``; where the file lacks it, the run is summarised anew.
        rows: of the run, where they are known already.

    Raises:
        BadInputError: it is damaged, or not finished.
    """
    home = os.fspath(path)
    name, created, settings = _circumstances(home)
    found: list[Sequence[Any]] | None = None
    if rows is None and is_current(path):
        found = _table(os.path.join(home, TABLE), column)
    if found is None:
        wanted = (*_OF_EVERY, *(column + part for part in _OF_METRIC))
        found = [tuple(row.get(name, "") for name in wanted) for row in rows or _summarised(path)]
    return StoredRun(name, created, dict(map(_row, found)), settings)


def _circumstances(home: str) -> tuple[str, str, Settings]:
    """A finished run's name, its time, and its settings."""
    manifest = os.path.join(home, MANIFEST)
    try:
        with open(manifest, "rb") as file:
            document: Any = from_json(file.read(), allow_inf_nan=False)
    except (OSError, ValueError):
        document = RunFolder.open(Path(home)).run().document()  # or the sentence that says why not
    try:
        run = read_identity(document, manifest)
        # What thousands of runs have is validated once.
        settings = _settings(to_json({key: document.get(key) for key in _SHARED}))
    except BadInputError:
        read_circumstances(document, manifest)  # its sentence names the file
        raise
    if run.state != "finished":
        raise BadInputError(f"it is not finished (state: {run.state})")
    return run.name, run.created, settings


@functools.lru_cache(maxsize=1024)
def _settings(shared: bytes) -> Settings:
    """What must agree, in each place; of the ``_SHARED`` parts of a ``run.json``."""
    parts = {key: value for key, value in from_json(shared).items() if value is not None}
    run = read_circumstances({**parts, **_ANY_RUN}, MANIFEST)
    return {
        (plain(device.name), plain(runtime.name)): setting(device, runtime, run.suite.protocol)
        for device in run.devices
        for runtime in run.runtimes
    }


def _summarised(path: Path) -> list[dict[Any, Any]]:
    from mobilebench.analysis.rows import frame
    from mobilebench.runs.summaries import summary_of

    return frame(summary_of(RunFolder.open(path))).to_dict("records")


def _row(cells: Sequence[Any]) -> tuple[Key, StoredRow]:
    """A row of ``_OF_EVERY`` and ``_OF_METRIC``."""
    model, recipe, device, runtime, artifact, virtual, disturbed, *metric = cells
    value, low, high, confidence = map(number, metric[:4])
    return _key(model, recipe, device, runtime), StoredRow(
        value,
        Interval(low, high, confidence or 0) if low is not None and high is not None else None,
        "" if value is not None else _once(metric[4]),
        _once(artifact),
        str(virtual) == "True",
        str(disturbed) == "True",
    )


@functools.lru_cache(maxsize=4096)
def _key(*cells: object) -> Key:
    """What a row is of, with its names as they were before they were guarded."""
    model, recipe, device, runtime = map(_name, cells)
    return Key(model, recipe, device, runtime)


@functools.lru_cache(maxsize=4096)
def _once(text: object) -> str:
    """A text that thousands of runs have is in memory once; what is missing is empty."""
    missing = text is None or (isinstance(text, float) and math.isnan(text))
    return "" if missing else plain(text)


def is_current(path: Path) -> bool:
    """Whether the summary is as new as the trials that it sums up."""
    home = os.fspath(path)
    try:
        table, trials = (os.stat(os.path.join(home, name)) for name in (TABLE, TRIALS))
        return table.st_mtime_ns >= trials.st_mtime_ns
    except OSError:
        return False


def number(value: object) -> float | None:
    """A cell as a number; None where it is empty or none."""
    if value == "":
        return None
    try:
        found = float(str(value))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _table(path: str, column: str) -> list[Sequence[str]] | None:
    """The wanted cells of a ``summary.csv``; None where another version wrote it, or it is damaged.

    A column that may be missing is empty then.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            places = _places(tuple(next(reader, ())), column)
            if places is None:
                return None
            return [[row[place] if place >= 0 else "" for place in places] for row in reader if row]
    except (OSError, ValueError, IndexError, csv.Error):
        return None


@functools.lru_cache(maxsize=16)
def _places(header: tuple[str, ...], column: str) -> tuple[int, ...] | None:
    """Where the wanted columns are, −1: nowhere; None where one is missing that must be there."""
    if not {*_IDENTITY, "virtual_device", column} <= set(header):
        return None
    wanted = (*_OF_EVERY, *(column + part for part in _OF_METRIC))
    return tuple(header.index(name) if name in header else -1 for name in wanted)


def _name(text: object) -> str:
    """A name as it was before it was guarded against spreadsheets."""
    name = plain(text)
    return name[1:] if name[:2] in ("'=", "'+", "'-", "'@") else name
