"""A run as pandas frames: attempts with their metrics, and raw samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import numpy.typing as npt

    from mobilebench.records.timings import Timings
    from mobilebench.records.trial import Trial
    from mobilebench.store.folder import RunFolder

    #: A trial, the indices of its samples, and their nanoseconds.
    _Part = tuple[Trial, npt.NDArray[np.int64], npt.NDArray[np.int64]]

_KEY = ("model", "recipe", "device", "runtime")
#: Of each attempt, on each of its rows.
_ATTEMPT = ("trial", "attempt", "kind", "block", *_KEY, "artifact", "state", "code", "reason",
            "started", "seconds")  # fmt: skip
#: Of each metric.
_METRIC = ("metric", "value", "unit", "source", "unavailable")
#: Samples of a chunk, and no fewer unless there are none left.
CHUNK = 1_000_000


def trials(folder: RunFolder) -> pd.DataFrame:
    """See ``mobilebench.Run.trials``."""
    medians = {
        name: (float(np.median(times.samples)), times.samples.size)
        for name, times in folder.attempt_timings()
        if times.samples.size
    }
    attempts = folder.attempts()
    last = {record.trial: record.attempt for record in attempts}
    rows = [
        (
            *(getattr(record, name) for name in _ATTEMPT),
            record.attempt == last[record.trial],
            *cells,
        )
        for record in attempts
        for cells in _metrics(record, medians)
    ]
    return pd.DataFrame(rows, columns=[*_ATTEMPT, "last_attempt", *_METRIC])


def _metrics(record: Trial, medians: dict[str, tuple[float, int]]) -> Iterator[tuple[Any, ...]]:
    """Each metric of an attempt; an attempt that has none is a row without a metric."""
    if found := medians.get(record.attempt_name):
        yield "latency", found[0], "ns", f"median of {found[1]} samples", ""
    elif not record.metrics:
        yield None, np.nan, "", "", record.reason
    for metric in record.metrics:
        value = np.nan if metric.value is None else float(metric.value)
        yield metric.name, value, metric.unit, metric.source, metric.reason


def samples(folder: RunFolder, warmup: bool) -> pd.DataFrame:
    """See ``mobilebench.Run.samples``."""
    return pd.concat([*sample_chunks(folder, warmup)], ignore_index=True)


def sample_chunks(folder: RunFolder, warmup: bool, rows: int = CHUNK) -> Iterator[pd.DataFrame]:
    """See ``mobilebench.Run.sample_chunks``; a run without samples is one empty chunk."""
    records = {record.trial: record for record in folder.trials() if record.state == "valid"}
    categories = {name: sorted({getattr(r, name) for r in records.values()}) for name in _KEY}
    categories["trial"] = list(records)
    waiting: list[_Part] = []
    size, empty = 0, True
    for trial, times in folder.timings():
        if trial not in records:
            continue
        waiting.append((records[trial], *_indexed(times, warmup)))
        size += waiting[-1][1].size
        if size >= rows:
            yield _chunk(waiting, categories)
            waiting, size, empty = [], 0, False
    if waiting or empty:
        yield _chunk(waiting, categories)


def _indexed(times: Timings, warmup: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices, those of the warm-up below 0, and nanoseconds."""
    if not warmup:
        return np.arange(times.samples.size), times.samples
    first = -times.warmup.size
    return np.arange(first, times.samples.size), np.concatenate([times.warmup, times.samples])


def _chunk(parts: Sequence[_Part], categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    sizes = [index.size for _, index, _ in parts]
    columns: dict[str, Any] = {}
    for name in ("trial", *_KEY):
        place = {value: code for code, value in enumerate(categories[name])}
        codes = np.array([place[getattr(record, name)] for record, _, _ in parts], dtype=np.int64)
        columns[name] = pd.Categorical.from_codes(
            np.repeat(codes, sizes), categories=pd.Index(list(categories[name]))
        )
    none = [np.zeros(0, dtype=np.int64)]
    columns["index"] = np.concatenate([p[1] for p in parts] or none).astype(np.int32)
    columns["nanoseconds"] = np.concatenate([p[2] for p in parts] or none)
    return pd.DataFrame(columns)
