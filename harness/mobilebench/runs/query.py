"""Many runs as tables for SQL, by DuckDB: ``results`` and ``samples``.

Nothing is taken in beforehand. ``results`` is read from each run's ``summary.csv``; ``samples`` is
read from ``samples.parquet`` while a query runs, and only if it is asked for. A query sees these
tables and nothing else: no other file, no network, no change to a run.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.analysis.rows import frame
from mobilebench.errors import BadInputError, MobileBenchError, first_line
from mobilebench.metrics import registry
from mobilebench.runs.remote import copy_runs, is_url
from mobilebench.runs.stored import is_current, run_folders
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import MANIFEST, SAMPLES, TABLE, TRIALS, RunFolder

if TYPE_CHECKING:
    import duckdb

#: What each row of ``results`` says, and in which form.
RESULTS = {
    "run": "its name",
    "created": "when it began (UTC)",
    "folder": "where it is",
    "suite": "its name",
    "model": "its name in the suite",
    "recipe": "how the variant was made",
    "device": "its name in the suite",
    "runtime": "its name in the suite",
    "is_baseline": "whether the variant is its model's baseline",
    "virtual_device": "whether times there are no phone's",
    "artifact_sha256": "of the variant's file",
    "metric": "its name in the registry",
    "unit": "of value, low and high: a base unit",
    "value": "NULL where it is unavailable",
    "low": "the interval's lower end, where there is one",
    "high": "its upper end",
    "confidence": "of the interval, a share",
    "reason": "why there is no value or interval",
}

#: What each row of ``samples`` says: one timed inference of a latency trial's latest attempt.
SAMPLE = {
    "run": "as in results",
    "folder": "as in results",
    "model": "as in results",
    "recipe": "as in results",
    "device": "as in results",
    "runtime": "as in results",
    "trial": "its name",
    "block": "which block of the plan it was in",
    "index": "which inference of the trial, from 0; warm-ups stand before it at −m … −1",
    "ns": "how long it took",
}

_IDENTITY = ("run", "suite", "model", "recipe", "device", "runtime")
_FLAGS = ("is_baseline", "virtual_device")
_CREATED = re.compile(rb'"created":\s*"([0-9T:.+Z-]{10,40})"')
_HEAD_BYTES = 4096
_MOST_ROWS = 100_000


@dataclass(frozen=True)
class Table:
    """What a query came to: columns by name, and rows; ``cut`` where there were more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool = False
    notes: tuple[str, ...] = field(default=())


def query(paths: Sequence[str | Path], sql: str, most_rows: int = _MOST_ROWS) -> Table:
    """What a query over stored runs comes to.

    Args:
        paths: run folders, and folders that hold run folders; or URLs that fsspec knows, with or
            without ``*``. Of a run behind a URL its ``summary.csv`` is taken as it is.
        sql: one statement that reads, in DuckDB's dialect.
        most_rows: further ones are left out.

    Raises:
        BadInputError: there is no run, the statement is wrong or does more than read, or DuckDB or
            a storage's package is missing.
    """
    duck = _duckdb()
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as scratch, duck.connect() as database:
        try:
            statements = database.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duck.StatementType.SELECT:
                raise BadInputError("a query is one statement that reads: SELECT …")
        except duck.Error as error:
            raise _wrong(error) from error
        # DuckDB would open files and URLs to say which tables a statement names.
        samples = re.search(r"\bsamples\b", sql, re.IGNORECASE) is not None
        folders = _folders(paths, Path(scratch), samples)
        notes = _results(database, folders, Path(scratch))
        _samples(database, folders)
        # Whatever the statement says, it reaches the runs' own files alone, and sets nothing.
        places = sorted({str(folder.resolve()) for folder in folders})
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET allowed_directories = ?", [places])
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        try:
            done = database.execute(statements[0])
            columns = tuple(str(column[0]) for column in done.description or ())
            rows = done.fetchmany(most_rows + 1)
        except duck.Error as error:
            raise _wrong(error) from error
    return Table(columns, tuple(rows[:most_rows]), len(rows) > most_rows, tuple(notes))


def _wrong(error: Exception) -> BadInputError:
    return BadInputError(
        f"the query cannot be run: {first_line(error)}; there are the tables results "
        f"({', '.join(RESULTS)}) and samples ({', '.join(SAMPLE)})"
    )


def _folders(paths: Sequence[str | Path], scratch: Path, samples: bool) -> dict[Path, str]:
    """Each run's folder, and how it is called; runs elsewhere are copied first."""
    found: dict[Path, str] = {}
    for number, path in enumerate(paths):
        if is_url(path):
            found |= copy_runs(str(path), scratch / f"copy{number}", samples)
        else:
            found |= {folder: str(folder) for folder in run_folders([Path(path)])}
    once: dict[str, Path] = {}
    for folder, name in found.items():
        once.setdefault(name if is_url(name) else str(folder.resolve()), folder)
    return {folder: found[folder] for folder in once.values()}


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise BadInputError("a query needs DuckDB: pip install 'mobilebench[store]'") from error
    return duckdb


def _results(
    database: duckdb.DuckDBPyConnection, folders: Mapping[Path, str], scratch: Path
) -> list[str]:
    """Makes the table; returns a sentence for each run that cannot be read."""
    notes = []
    # Runs of one version have the same columns, and are read as one file.
    files: dict[tuple[str, ...], Path] = {}
    for folder, place in folders.items():
        try:
            header, rows = _rows(folder, is_copy=is_url(place))
            created = _created(folder)
        except (MobileBenchError, OSError, ValueError, csv.Error) as error:
            called = place if is_url(place) else folder.name
            notes.append(f"{called} is left out: {first_line(error)}")
            continue
        path = files.setdefault(header, scratch / f"{len(files)}.csv")
        with path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows((created, place, *row) for row in rows)
    selects: list[str] = []
    for number, (header, path) in enumerate(files.items()):
        columns = ", ".join(f"{_text(c)}: 'VARCHAR'" for c in ("created", "folder", *header))
        database.execute(
            f"CREATE TABLE raw{number} AS SELECT * FROM read_csv(?, header = false, "
            f"columns = {{{columns}}}, auto_detect = false, quote = '\"', escape = '\"', "
            "delim = ',', strict_mode = false)",
            [str(path)],
        )
        selects += _selects(f"raw{number}", set(header))
    if not selects:
        raise BadInputError(f"no run can be read: {notes[0]}" if notes else "no run has a summary")
    database.execute("CREATE TABLE results AS " + " UNION ALL ".join(selects))
    for number in range(len(files)):
        database.execute(f"DROP TABLE raw{number}")
    return notes


def _rows(folder: Path, is_copy: bool) -> tuple[tuple[str, ...], list[list[str]]]:
    if is_copy and not (folder / TABLE).is_file():
        raise BadInputError(f"it has no {TABLE}: it was copied before its run was finished")
    if is_copy or is_current(folder):
        with (folder / TABLE).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        # DuckDB has columns by name, whatever the case, and two that are not of the table.
        names = {"created", "folder", *(column.lower() for column in header)}
        if len(names) < len(header) + 2:
            raise ValueError(f"{TABLE} has a column twice, or one called created or folder")
        if set(_IDENTITY) <= set(header) and all(len(row) == len(header) for row in rows):
            return tuple(header), rows
        if is_copy:
            raise BadInputError(f"its {TABLE} is damaged, or of another version")
    table = frame(summary_of(RunFolder.open(folder))).to_csv(index=False)
    header, *rows = csv.reader(io.StringIO(table))
    return tuple(header), rows


def _created(folder: Path) -> str:
    with (folder / MANIFEST).open("rb") as file:
        found = _CREATED.search(file.read(_HEAD_BYTES))
    return found[1].decode() if found else ""


def _selects(table: str, header: set[str]) -> Iterable[str]:
    """A statement for each metric of a table: its rows where it has a value or a reason."""
    for name, metric in registry().items():
        if metric.column not in header:
            continue
        value, low, high, confidence, reason = (
            _quoted(f"{metric.column}{part}") if f"{metric.column}{part}" in header else "NULL"
            for part in ("", "_low", "_high", "_confidence", "_reason")
        )
        identity = ", ".join(
            # A name that a spreadsheet would take for a formula has a guard before it.
            f"regexp_replace({_quoted(c)}, '^''([=+@-])', '\\1') AS {_quoted(c)}"
            for c in _IDENTITY
        )
        flags = ", ".join(
            f"{_quoted(c) if c in header else 'NULL'} = 'True' AS {_quoted(c)}" for c in _FLAGS
        )
        sha256 = '"artifact_sha256"' if "artifact_sha256" in header else "NULL"
        yield (
            f"SELECT {identity}, TRY_CAST(nullif(created, '') AS TIMESTAMPTZ) AS created, folder, "
            f"{flags}, {sha256} AS artifact_sha256, {_text(name)} AS metric, "
            f"{_text(metric.unit)} AS unit, {_number(value)} AS value, {_number(low)} AS low, "
            f"{_number(high)} AS high, {_number(confidence)} AS confidence, "
            f"nullif({reason}, '') AS reason FROM {table} "
            f"WHERE nullif({value}, '') IS NOT NULL OR nullif({reason}, '') IS NOT NULL"
        )


def _number(column: str) -> str:
    # What counts nodes or right answers may be written as true and false by older versions.
    return f"TRY_CAST(nullif({column}, '') AS DOUBLE)"


def _samples(database: duckdb.DuckDBPyConnection, folders: Mapping[Path, str]) -> None:
    """Makes the view; nothing is read before it is used."""
    sql = "SELECT DISTINCT folder, run FROM results WHERE run IS NOT NULL"
    names = dict(database.execute(sql).fetchall())
    places = [
        (str(there / TRIALS), str(there / SAMPLES), names[place], place)
        for folder, place in folders.items()
        for there in [folder.resolve()]
        if place in names and (there / SAMPLES).is_file() and (there / TRIALS).is_file()
    ]
    if not places:
        columns = ", ".join(f"NULL AS {_quoted(name)}" for name in SAMPLE)
        database.execute(f"CREATE VIEW samples AS SELECT {columns} WHERE false")
        return
    lines = ", ".join(_text(place[0]) for place in places)
    tables = ", ".join(_text(place[1]) for place in places)
    values = ", ".join(f"({', '.join(map(_text, place))})" for place in places)
    database.execute(
        f"""CREATE VIEW samples AS
        WITH places(trials, samples, run, folder) AS (VALUES {values}), lines AS (
            SELECT *, row_number() OVER () AS line
            FROM read_json([{lines}], format = 'newline_delimited', filename = true,
                columns = {{trial: 'VARCHAR', attempt: 'INTEGER', model: 'VARCHAR',
                    recipe: 'VARCHAR', device: 'VARCHAR', runtime: 'VARCHAR', kind: 'VARCHAR',
                    block: 'INTEGER', state: 'VARCHAR'}}, ignore_errors = true)
        ), latest AS (
            SELECT * FROM lines
            QUALIFY row_number() OVER (PARTITION BY filename, trial ORDER BY line DESC) = 1
        ), times AS (
            SELECT * FROM read_parquet([{tables}], filename = true, union_by_name = true)
        )
        SELECT places.run, places.folder, model, recipe, device, runtime, latest.trial, block,
            times.index, times.nanoseconds AS ns
        FROM places JOIN latest ON latest.filename = places.trials
        JOIN times ON times.filename = places.samples
            AND times.trial = latest.trial || CASE WHEN coalesce(attempt, 1) = 1 THEN ''
                ELSE '~' || attempt END
        WHERE kind = 'latency' AND state = 'valid'"""
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
