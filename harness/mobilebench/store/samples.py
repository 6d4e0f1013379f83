"""The raw times of latency trials, as files have them: a part a trial, and one table of them all.

A row is one inference: its index (timed inferences count from 0, the warm-up stands before them at
-m … -1), how long it took, in a sustained trial when it began, from the start of measuring, and
where the device reports them its CPU time and the involuntary context switches meanwhile.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from mobilebench.errors import BadInputError, first_line
from mobilebench.records.timings import Nanoseconds, Timings

if TYPE_CHECKING:
    import pyarrow as pa


_UNKNOWN = -1
_ROWS_IN_A_GROUP = 1_000_000
# Read in smaller parts, one after the other: a group at a time, or several columns at once, take
# 100 MiB more.
_ROWS_AT_ONCE = 32_768

#: What may be unknown of a row: the column's name, and the field of ``Timings``.
_OPTIONAL = {"start": "starts", "cpu": "cpu", "switches": "switches"}

#: What the parts of older versions have: index, nanoseconds and start.
_FEWEST_COLUMNS = 3

#: Of some rows the index, the nanoseconds, and each of ``_OPTIONAL``, -1 where it is unknown.
_Columns = tuple[Nanoseconds, ...]


def to_part(timings: Timings) -> bytes:
    """One trial as the content of a part file."""
    content = io.BytesIO()
    np.save(content, np.stack(_columns(timings), axis=1), allow_pickle=False)
    return content.getvalue()


def read_part(path: Path | IO[bytes]) -> Timings:
    """One trial from its part file, or from the content of one.

    Raises:
        BadInputError: it is damaged.
    """
    try:
        rows: Nanoseconds = np.load(path, allow_pickle=False)
        if rows.ndim != 2 or not _FEWEST_COLUMNS <= rows.shape[1] <= 2 + len(_OPTIONAL):
            raise ValueError(f"it has the shape {rows.shape}")
        index, nanoseconds, *optional = rows.T
    except (OSError, ValueError, EOFError) as error:
        raise BadInputError(f"{path} is damaged: {first_line(error)}") from error
    return _timings(index, nanoseconds, *optional)


def tables(trials: Iterable[tuple[str, Timings]]) -> Iterator[pa.Table]:
    """Tables of about a million rows, so that ten thousand trials are not ten thousand groups."""
    names: list[str] = []
    columns: list[_Columns] = []
    rows = 0
    for trial, timings in trials:
        names.append(trial)
        columns.append(_columns(timings))
        rows += columns[-1][0].size
        if rows >= _ROWS_IN_A_GROUP:
            yield _table(names, columns)
            names, columns, rows = [], [], 0
    if names:
        yield _table(names, columns)


def schema() -> pa.Schema:
    """What the columns of the table are."""
    import pyarrow as pa

    return pa.schema(
        [
            ("trial", pa.dictionary(pa.int32(), pa.string())),
            ("index", pa.int32()),
            ("nanoseconds", pa.int64()),
            ("start", pa.int64()),
            ("cpu", pa.int64()),
            ("switches", pa.int64()),
        ]
    )


def read_table(path: Path) -> Iterator[tuple[str, Timings]]:
    """The trials of a table, one at a time; one of an older version may lack columns.

    Raises:
        BadInputError: it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, read_dictionary=["trial"], pre_buffer=False)
        batches = file.iter_batches(_ROWS_AT_ONCE, use_threads=False)
        pieces = (piece for batch in batches for piece in _pieces(batch))
        for name, of_trial in groupby(pieces, key=itemgetter(0)):
            columns = zip(*(columns for _, columns in of_trial), strict=True)
            yield name, _timings(*map(np.concatenate, columns))
    except (pa.ArrowException, OSError, KeyError, AttributeError) as error:
        raise BadInputError(f"{path} is damaged: {first_line(error)}") from error


def _pieces(batch: pa.RecordBatch) -> Iterator[tuple[str, _Columns]]:
    """The rows of each trial that a part of a table has; a trial may go on in the next part."""
    trial = batch["trial"]
    codes, names = trial.indices.to_numpy(), trial.dictionary.to_pylist()
    index, nanoseconds = batch["index"].to_numpy(), batch["nanoseconds"].to_numpy()
    columns = [index, nanoseconds]
    for name in _OPTIONAL:
        known = name in batch.schema.names
        unknown = np.full(codes.size, _UNKNOWN, dtype=np.int64)
        columns.append(batch[name].fill_null(_UNKNOWN).to_numpy() if known else unknown)
    edges = [0, *np.flatnonzero(np.diff(codes)) + 1, codes.size] if codes.size else []
    for first, end in pairwise(edges):
        part = slice(first, end)
        yield names[codes[first]], tuple(column[part] for column in columns)


def _columns(timings: Timings) -> _Columns:
    before, count = timings.warmup.size, timings.samples.size
    optional = []
    for name in _OPTIONAL.values():
        values = np.full(before + count, _UNKNOWN, dtype=np.int64)
        known = getattr(timings, name)
        if known.size:
            values[before:] = known
        optional.append(values)
    nanoseconds = np.concatenate([timings.warmup, timings.samples]).astype(np.int64)
    return np.arange(-before, count, dtype=np.int64), nanoseconds, *optional


def _timings(index: Nanoseconds, nanoseconds: Nanoseconds, *optional: Nanoseconds) -> Timings:
    timed = index >= 0
    none = np.zeros(0, dtype=np.int64)
    known = {
        name: none if (values[timed] == _UNKNOWN).any() else values[timed]
        for name, values in zip(_OPTIONAL.values(), optional, strict=False)
    }
    return Timings(nanoseconds[timed], nanoseconds[~timed], **known)


def _table(names: list[str], columns: list[_Columns]) -> pa.Table:
    import pyarrow as pa

    sizes = [index.size for index, *_ in columns]
    codes = np.repeat(np.arange(len(names), dtype=np.int32), sizes)
    index, nanoseconds, *optional = (
        np.concatenate(column) for column in zip(*columns, strict=True)
    )
    return pa.table(
        [
            pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names)),
            pa.array(index.astype(np.int32)),
            pa.array(nanoseconds),
            *(pa.array(values, mask=values == _UNKNOWN) for values in optional),
        ],
        schema=schema(),
    )
