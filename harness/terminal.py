"""What a person sees in the terminal while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from device_agent.contract import Event
from harness.compress.artifact import Failure
from harness.compress.artifact import Progress as CompressProgress
from harness.devices.base import DeviceFacts
from harness.plan import PlannedTrial
from harness.store import TrialRecord
from harness.suite import MeasuringProtocol, Suite

#: What a trial takes beside its timed loops: a process, a model, a few inferences (seconds).
_AROUND_A_TRIAL = 0.2


def output() -> Console:
    """The output stream; wide enough for the tables where no terminal sets a width."""
    console = Console()
    return console if console.is_terminal else Console(width=100)


class RunDisplay:
    """Progress with the time left, on the error stream: the output stream is for results."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]left"),
            console=console,
            expand=True,
        )
        self._compressing: TaskID | None = None
        self._measuring: TaskID | None = None
        self._protocol = MeasuringProtocol()
        self._current = ""
        self._left = 0
        self._total = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def compressing(self, progress: CompressProgress) -> None:
        """Shows the variant that is being made."""
        if self._compressing is None:
            self._compressing = self._begin(progress.total)
        what = f"{progress.model} · {progress.recipe}" if progress.recipe else progress.model
        text = (
            f"[bold]compress[/]  {_fit(what)}"
            if progress.done < progress.total
            else (f"[bold]compress[/]  {_fit(f'{progress.total} variants')}")
        )
        self._progress.update(
            self._compressing, description=text, completed=progress.done, total=progress.total
        )

    def not_made(self, failure: Failure) -> None:
        """Says why a variant is missing."""
        self._complain("not made", f"{failure.model} · {failure.recipe}", failure.reason)

    def measuring(self, plan: Sequence[PlannedTrial], finished: int, suite: Suite) -> None:
        """Shows that trials begin."""
        self._protocol = suite.protocol
        total = sum(self._seconds(trial.kind) for trial in plan)
        done = sum(self._seconds(trial.kind) for trial in plan[:finished])
        self._total = total
        self._measuring = self._begin(total)
        self._progress.advance(self._measuring, done)
        self._left = len(plan) - finished

    def on_trial(self, trial: PlannedTrial) -> None:
        """Shows the trial that starts."""
        block = f" block {trial.block + 1}" if trial.kind == "latency" else ""
        self._current = f"{trial.kind}{block} · {trial.model} · {trial.recipe}"
        self._describe(self._current)

    def on_event(self, event: Event) -> None:
        """Shows how far a long trial is."""
        if event.done:
            self._describe(f"{event.done:3.0%} {self._current}")

    def on_record(self, record: TrialRecord) -> None:
        """Counts a trial, and says at once if it failed."""
        assert self._measuring is not None
        self._progress.advance(self._measuring, self._seconds(record.kind))
        self._left -= 1
        if not self._left:
            self._describe("done")
            self._progress.update(self._measuring, completed=self._total)
        if record.state == "failed" and record.code != "skipped":
            what = f"{record.kind} · {record.model} · {record.recipe}"
            self._complain("failed", what, record.reason)

    def _begin(self, total: float) -> TaskID:
        # Started with its first task: bad input is told without an empty bar above it.
        self._progress.start()
        return self._progress.add_task("", total=total)

    def _complain(self, word: str, what: str, reason: str) -> None:
        self._console.print(Text.assemble((word, "bold red"), f" {what}: {reason}"), soft_wrap=True)

    def _describe(self, what: str) -> None:
        assert self._measuring is not None
        self._progress.update(self._measuring, description=f"[bold]measure[/]   {_fit(what)}")

    def _seconds(self, kind: str) -> float:
        if kind != "latency":
            return _AROUND_A_TRIAL
        return _AROUND_A_TRIAL + self._protocol.warmup_seconds + self._protocol.seconds


def _fit(text: str, width: int = 36) -> str:
    """The text in exactly that width, so that the bars below each other stand still."""
    from rich.markup import escape

    cut = text if len(text) <= width else text[: width - 1] + "…"
    return escape(cut.ljust(width))


def device_table(devices: Sequence[DeviceFacts]) -> Table:
    """The devices, for a person."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("device", "kind", "runtime", "processor", "system"):
        table.add_column(column)
    for device in devices:
        info = device.info
        table.add_row(
            device.name,
            device.kind,
            f"{device.runtime} {device.runtime_version}",
            f"{info.get('board') or info.get('cpu') or info.get('machine')}, "
            f"{info.get('cores')} cores",
            str(info.get("system", "")),
        )
    return table
