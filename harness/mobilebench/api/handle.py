"""A run as an object: its state, its tables, its raw numbers, its report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from mobilebench.analysis.gating import Verdict
    from mobilebench.analysis.summary import Summary
    from mobilebench.store.folder import RunFolder


class Run:
    """A stored run, finished or not; it is read from its folder whenever it is asked.

    A run is a path, too (``os.fspath``), so that it can be given wherever a run's folder can.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Use ``mobilebench.open_run``, which sees to it that there is a run."""
        self._path = Path(path)
        self._known: tuple[tuple[int, ...], Summary] | None = None

    @property
    def path(self) -> Path:
        """The results folder."""
        return self._path

    @property
    def state(self) -> str:
        """``finished``, or ``running`` or ``interrupted``: then it can be resumed.

        Raises:
            BadInputError: the folder is damaged.
        """
        return self._folder().run().state

    @property
    def verdict(self) -> Verdict | None:
        """What the gate said; None if the run is no gate's, or its gate has not come to an end.

        ``gate`` with ``resume`` gives the whole result.

        Raises:
            BadInputError: the folder is damaged.
        """
        from mobilebench.runs import gate

        result = gate.stored(self._folder())
        return result.verdict if result else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is missing from the run or must not be read into it; what matters most comes first.

        Raises:
            BadInputError: the folder is damaged.
        """
        summary = self.summarise()
        return (*summary.disturbed, *summary.warnings)

    def summarise(self) -> Summary:
        """The summary as typed values: comparisons, variants, estimates with intervals, advice.

        Raises:
            BadInputError: the folder is damaged.
        """
        from mobilebench.runs.summaries import summary_of

        now = self._stamp()
        if self._known is None or self._known[0] != now:
            self._known = now, summary_of(self._folder())
        return self._known[1]

    def summary(self) -> pd.DataFrame:
        """The summary as a table: a row for each model, recipe, device and runtime.

        The columns are those of ``summary.csv``, in base units (nanoseconds, bytes, joules,
        shares). Where a cell is empty, the column ``…_reason`` beside it says why. A notebook shows
        it as the report does, with readable units.

        Raises:
            BadInputError: the folder is damaged.
        """
        from mobilebench.report.exports.notebook import SummaryFrame

        return SummaryFrame.of(self.summarise())

    def trials(self) -> pd.DataFrame:
        """Every finished attempt at every trial: a row for each metric of each attempt.

        Columns: ``trial``, ``attempt`` (from 1), ``kind``, ``block``, ``model``, ``recipe``,
        ``device``, ``runtime``, ``artifact`` (SHA-256), ``state`` (``valid``, ``failed`` or
        ``invalid``), ``code`` and ``reason`` of one that is not valid, ``started`` (UTC),
        ``seconds`` of the whole attempt, ``last_attempt`` (the only one that counts), then
        ``metric``, ``value``, ``unit``, ``source``, and in ``unavailable`` why there is no value.
        The metric ``latency`` is the median of the attempt's timed inferences. An attempt without
        metrics has one row without a ``metric``.

        Raises:
            BadInputError: the folder is damaged.
        """
        from mobilebench.api import frames

        return frames.trials(self._folder())

    @property
    def sample_count(self) -> int:
        """How many rows ``samples`` has: the timed inferences of all valid trials.

        Raises:
            BadInputError: the folder is damaged.
        """
        return sum(r.samples for r in self._folder().trials() if r.state == "valid")

    def samples(self, *, warmup: bool = False) -> pd.DataFrame:
        """The raw times: a row for each inference of each valid trial, in the order they ran.

        Columns: ``trial``, ``model``, ``recipe``, ``device``, ``runtime`` (categories), ``index``
        (from 0) and ``nanoseconds``. A row takes about 20 bytes, so that ten million
        (``sample_count``) take 200 MB: ``sample_chunks`` gives them in parts. Attempts that
        do not count are in ``samples.parquet`` alone.

        Args:
            warmup: with the warm-up's inferences, whose indices are below 0. The very first
                inference is a metric (``first_inference`` of ``trials``).

        Raises:
            BadInputError: the folder is damaged.
        """
        from mobilebench.api import frames

        return frames.samples(self._folder(), warmup)

    def sample_chunks(
        self, rows: int = 1_000_000, *, warmup: bool = False
    ) -> Iterator[pd.DataFrame]:
        """The rows of ``samples`` in parts, so that a large run need not fit into memory.

        Args:
            rows: at least so many in a part, but for the last; a trial is never cut in two. A run
                without samples gives one part without rows.
            warmup: as in ``samples``.

        Raises:
            BadInputError: the folder is damaged.
        """
        from mobilebench.api import frames

        return frames.sample_chunks(self._folder(), warmup, rows)

    def report(self) -> Path:
        """Writes ``report.html``, ``report.md`` and ``summary.csv`` into the run's folder.

        The same run gives the same bytes; at least two comparable runs beside it add its history.

        Returns:
            The path of the page, ``report.html``, which needs nothing but itself.

        Raises:
            BadInputError: the folder is damaged.
            InvalidRunError: the disk is full or failing.
        """
        from mobilebench.report import write
        from mobilebench.runs import gate, history

        folder, summary = self._folder(), self.summarise()
        histories = history.before(folder, summary)
        return write.build(folder, summary, verdict=gate.stored(folder), histories=histories)

    def _folder(self) -> RunFolder:
        from mobilebench.store.folder import RunFolder

        return RunFolder.open(self._path)

    def _stamp(self) -> tuple[int, ...]:
        """Changes when the folder does."""
        from mobilebench.store.folder import MANIFEST, TRIALS

        found: list[int] = []
        for name in (MANIFEST, TRIALS):
            try:
                status = (self._path / name).stat()
            except OSError:
                continue
            found += [status.st_mtime_ns, status.st_size]
        return tuple(found)

    def __fspath__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        return f"<mobilebench.Run {self._path}>"

    def _repr_html_(self) -> str:
        """The run for a notebook: its verdict, its warnings, its tables."""
        from mobilebench.report.exports import notebook

        return notebook.html(self.summarise(), self.verdict)
