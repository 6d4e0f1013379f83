"""What a person sees in the terminal while a run goes on."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mobilebench_agent.contract import Event
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
)
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from mobilebench.compress.artifact import Failure
from mobilebench.compress.artifact import Progress as CompressProgress
from mobilebench.records.protocol import MeasuringProtocol
from mobilebench.records.run import Refusal
from mobilebench.records.trial import ATTEMPTS, PlannedTrial, Trial
from mobilebench.suite.schema import Suite
from mobilebench.text import PLAINER, percent, plain, printable

if TYPE_CHECKING:
    from mobilebench.devices.found import Found
    from mobilebench.devices.kind import Check

#: What a trial takes beside its timed loops: a process, a model, a few inferences (seconds).
_AROUND_A_TRIAL = 0.2
#: Seconds over which the speed is taken that a time left comes from; a trial may last a minute.
_SPEED_OVER = 300.0


#: Columns that are left of one whose words may be broken.
_FOLDED = 8
#: As wide as any table: where no terminal is, nothing is cut or broken into lines.
_UNBOUNDED = 10_000


def output() -> Console:
    """The output stream; where no terminal sets a width, every table has its own."""
    console = _Console()
    return console if console.is_terminal else _Console(width=_UNBOUNDED)


def errors() -> Console:
    """The error stream, for progress and complaints."""
    return _Console(stderr=True)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[Console]:
    """The error stream for us alone: what C++ libraries write there meanwhile is not shown."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        with os.fdopen(
            os.dup(kept), "w", encoding=sys.stderr.encoding or "utf-8", errors=PLAINER
        ) as file:
            sys.stderr.flush()
            os.dup2(nowhere, 2)
            yield _Console(file=file)
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


class _Console(Console):
    """What it prints may be a device's or a file's own words: they are text and nothing else.

    Neither Rich's markup nor a terminal's escape sequences in them mean anything.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, markup=False, emoji=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """See ``rich.console.Console``."""
        if isinstance(renderable, Table):
            renderable = _whole(renderable, self, options or self.options)
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        # Rich would end the program with 1: it is for the command to say what the run was.
        raise BrokenPipeError


def _whole(table: Table, console: Console, options: ConsoleOptions) -> Table:
    """The table with room for every word: Rich would cut what may not be broken into lines."""
    if not console.is_terminal:
        for column in table.columns:
            column.max_width = None
    columns = [(column, _widest(column, console, options)) for column in table.columns]
    _, right, _, left = table.padding
    between = right + left + (table.box is not None)
    needed = sum(
        between + (width if column.no_wrap else min(width, _FOLDED)) for column, width in columns
    )
    if needed > options.max_width:
        for column, _ in columns:
            column.no_wrap, column.overflow = False, "fold"
    return table


def _widest(column: Column, console: Console, options: ConsoleOptions) -> int:
    unbounded = options.update(width=_UNBOUNDED)
    cells = (column.header, *column.cells)
    widest = max(Measurement.get(console, unbounded, cell).maximum for cell in cells)
    return widest if column.max_width is None else min(widest, column.max_width)


@dataclass
class _Lane:
    """One device's bar: how long its trials take in all, how many are left, what it does."""

    task: TaskID
    total: float
    left: int
    trials: int
    done: float = 0.0
    current: str = ""
    cooling: bool = False
    timing_since: float | None = None


@dataclass
class _Step:
    """The bar of a step of a variant that is being made: its name, and which share is done."""

    task: TaskID
    name: str
    done: float = 0.0


class _Time(ProgressColumn):
    """The time left where it can be estimated; else, and at the end, the time that it took."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """See ``rich.progress.ProgressColumn``."""
        if task.finished:
            return Text(f"in {_clock(task.finished_time)}", "cyan")
        left: float | None = task.time_remaining
        if task.fields.get("uneven"):
            left = _left_now(task.fields.get("left"))
        if left is None:
            return Text(f"{_clock(task.elapsed)} so far", "cyan")
        about = "about " if task.fields.get("uneven") else ""
        return Text(f"{about}{_clock(left)} left", "cyan")


def _left_now(estimate: tuple[float, float] | None) -> float | None:
    """Seconds left by an estimate of before: how many then, and when that was."""
    if estimate is None:
        return None
    seconds, when = estimate
    return max(0.0, seconds - (time.monotonic() - when))


def _clock(seconds: float | None) -> str:
    return str(timedelta(seconds=int(seconds or 0)))


#: Seconds between two lines that say how far something is, where no bar can move.
_BETWEEN_LINES = 15.0


class RunDisplay:
    """Progress with the time left, on the error stream: the output stream is for results.

    Where no bar can move, in a file or a pipe, there is a line now and then.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._moves = console.is_interactive
        self._began: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            _Time(),
            console=console,
            expand=True,
            disable=not self._moves,
            speed_estimate_period=_SPEED_OVER,
        )
        self._preparing: TaskID | None = None
        self._compressing: TaskID | None = None
        self._steps: dict[tuple[str, str], _Step] = {}
        self._lanes: dict[str, _Lane] = {}
        self._device_of: dict[str, str] = {}
        self._protocol = MeasuringProtocol()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._progress.live.is_started:
            return
        # An error is printed on a clean line, not below a bar that never moves again.
        self._progress.live.transient = error is not None or self._preparing is not None
        self._progress.stop()

    def prepare(self, what: str = "prepare") -> None:
        """Shows that something goes on until there is more to say; it leaves no trace."""
        if self._moves:
            self._preparing = self._begin(None)
            text = f"[bold]{what:9}[/] {_fit('')}"
            self._progress.update(self._preparing, description=text)

    def compressing(self, progress: CompressProgress) -> None:
        """Shows the variant that is being made, and below it how far its step is."""
        if self._compressing is None:
            # Some variants take seconds and some hours: their number says nothing of the time left.
            self._compressing = self._begin(progress.total, uneven=True)
        what = f"{progress.model} · {progress.recipe}" if progress.recipe else progress.model
        text = (
            f"[bold]compress[/]  {_fit(what)}"
            if progress.done < progress.total
            else (f"[bold]compress[/]  {_fit(_counted(progress.total, 'variant'))}")
        )
        self._progress.update(
            self._compressing,
            description=text,
            completed=progress.done,
            total=progress.total,
            left=None if progress.left is None else (progress.left, time.monotonic()),
        )
        ended = progress.done >= progress.total
        step = "" if progress.step in ("done", "failed") else f", {progress.step}"
        what = "" if ended else f"{what}{step}"
        self._say("compress", progress.done, progress.total, what, left=progress.left)
        variant = (progress.model, progress.recipe)
        if progress.step in ("done", "failed", "waiting"):
            self._end_step(variant)
        else:
            self._show_step(variant, progress.step, progress.fraction)

    def _show_step(self, variant: tuple[str, str], step: str, fraction: float | None) -> None:
        """A bar that begins anew with each step, so that the time left is that step's."""
        name = step if fraction is None else step.rpartition(" ")[0]
        known = self._steps.get(variant)
        if known is None or name != known.name or (fraction or 0) < known.done:
            self._end_step(variant)
            task = self._progress.add_task("", total=None if fraction is None else 1.0)
            known = self._steps[variant] = _Step(task, name)
        known.done = fraction or 0
        total = None if fraction is None else 1.0
        text = f"[dim]          {_fit_end(step)}[/]"
        self._progress.update(known.task, description=text, completed=fraction or 0, total=total)

    def _end_step(self, variant: tuple[str, str]) -> None:
        ended = self._steps.pop(variant, None)
        if ended is not None:
            self._progress.remove_task(ended.task)

    def timing(self, done: int, total: int) -> None:
        """Shows how many operators are timed."""
        if self._compressing is None:
            self._compressing = self._begin(total)
        self._say("time", done, total)
        text = f"[bold]time[/]      {_fit(_counted(total, 'operator'))}"
        self._progress.update(self._compressing, description=text, completed=done, total=total)

    def profiling(self, done: int, total: int) -> None:
        """Shows how far the operators of a run's variants are timed."""
        if self._compressing is None:
            self._compressing = self._begin(total)
        self._say("profile", done, total)
        self._progress.update(
            self._compressing,
            description="[bold]profile[/]   each operator alone",
            completed=done,
            total=total,
        )

    def comparing(self, done: int, total: int) -> None:
        """Shows how many of the comparisons with this machine are made."""
        if self._compressing is None:
            self._compressing = self._begin(total)
        self._say("compare", done, total)
        text = f"[bold]compare[/]   {_fit(_counted(total, 'run'))}"
        self._progress.update(self._compressing, description=text, completed=done, total=total)

    def not_made(self, failure: Failure) -> None:
        """Says why a variant is missing."""
        self._complain("not made", f"{failure.model} · {failure.recipe}", failure.reason)

    def refused(self, refusal: Refusal) -> None:
        """Says why a variant is not measured in one place."""
        where = f"{refusal.model} · {refusal.recipe} on {refusal.device} · {refusal.runtime}"
        self._complain("not measured", where, refusal.reason)

    def measuring(self, plan: Sequence[PlannedTrial], finished: Set[str], suite: Suite) -> None:
        """Shows that trials begin: a bar a device."""
        self._protocol = suite.protocol
        for device in dict.fromkeys(trial.device for trial in plan):
            trials = [trial for trial in plan if trial.device == device]
            left = [trial for trial in trials if trial.trial not in finished]
            total = sum(self._seconds(trial.kind) for trial in trials)
            done = total - sum(self._seconds(trial.kind) for trial in left)
            self._lanes[device] = _Lane(self._begin(total), total, len(left), len(trials), done)
            self._device_of.update({trial.trial: device for trial in trials})
            self._progress.update(self._lanes[device].task, completed=done)
        for device in self._lanes:
            self._say_lane(device)

    def on_trial(self, trial: PlannedTrial) -> None:
        """Shows the trial that starts."""
        self._lanes[trial.device].timing_since = None
        block = f" block {trial.block + 1}" if trial.kind in ("latency", "energy") else ""
        self._describe(trial.device, f"{trial.kind}{block} · {trial.model} · {trial.recipe}")

    def on_event(self, event: Event) -> None:
        """Shows how far a long trial is."""
        device = self._device_of[event.trial]
        lane = self._lanes[device]
        if event.phase.startswith("cooling: "):
            if not lane.cooling and not self._moves:
                # Where no bar moves, one line says why nothing else does.
                self._console.print(
                    f"{device} · {plain(event.phase)}",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )
            lane.cooling = True
            self._show(device, event.phase)
            return
        if lane.cooling:
            lane.cooling = False
            self._show(device, lane.current)
        if event.phase == "measure" and self._protocol.sustained_minutes is not None:
            self._show_minutes(device, lane, self._protocol.sustained_minutes)
        elif event.done:
            current = lane.current
            self._describe(
                device, f"{percent(event.done, 0):>4} {current.partition('% ')[2] or current}"
            )

    def _show_minutes(self, device: str, lane: _Lane, minutes: float) -> None:
        """A device says nothing while it is timing: what moves is this computer's clock."""
        lane.timing_since = lane.timing_since or time.monotonic()
        elapsed = min(time.monotonic() - lane.timing_since, 60 * minutes)
        self._show(device, f"{elapsed / 60:.1f} of {minutes:g} min · {lane.current}")
        self._progress.update(lane.task, completed=lane.done + elapsed)

    def on_record(self, record: Trial) -> None:
        """Counts a trial, and says at once if it failed or has to be repeated."""
        lane = self._lanes[record.device]
        what = trial = f"{record.kind} · {record.model} · {record.recipe}"
        if len(self._lanes) > 1:
            what = f"{record.device} · {trial}"
        if record.state == "invalid":
            self._complain(f"invalid, attempt {record.attempt} of {ATTEMPTS}", what, record.reason)
        if not record.is_final:
            return
        lane.left -= 1
        self._say_lane(record.device, trial if lane.left else "")
        lane.done += self._seconds(record.kind)
        self._progress.update(lane.task, completed=lane.done)
        if not lane.left:
            self._describe(record.device, "done")
            self._progress.update(lane.task, completed=lane.total)
        if record.state == "failed" and record.code != "skipped":
            self._complain("failed", what, record.reason)

    def _begin(self, total: float | None, *, uneven: bool = False) -> TaskID:
        # Started with its first task: bad input is reported without an empty bar above it.
        self._progress.start()
        if self._preparing is not None:
            self._progress.remove_task(self._preparing)
            self._preparing = None
        return self._progress.add_task("", total=total, uneven=uneven)

    def _say_lane(self, device: str, what: str = "") -> None:
        lane = self._lanes[device]
        where = device if len(self._lanes) > 1 else ""
        self._say("measure", lane.trials - lane.left, lane.trials, what, where)

    def _say(
        self,
        phase: str,
        done: int,
        total: int,
        what: str = "",
        where: str = "",
        left: float | None = None,
    ) -> None:
        """One line where no bar moves: at the beginning, now and then, and at the end."""
        if self._moves:
            return
        now, of = time.monotonic(), f"{phase} {where}"
        took = now - self._began.setdefault(of, now)
        ended = done >= total
        before = self._said.get(of, -math.inf)
        if before == math.inf or (not ended and now - before < _BETWEEN_LINES):
            return
        self._said[of] = math.inf if ended else now
        what = " · ".join(filter(None, (where, what)))
        text = f"{phase} {done} of {total}"
        text += f" in {_clock(took)}" if ended else f", {_clock(took)} so far"
        if not ended and left is not None:
            text += f", about {_clock(left)} left"
        self._console.print(
            plain(f"{text}: {what}" if what else text), highlight=False, soft_wrap=True
        )

    def _complain(self, word: str, what: str, reason: str) -> None:
        text = Text.assemble((word, "bold red"), f" {plain(what)}: {plain(reason)}")
        self._console.print(text, soft_wrap=True)

    def _describe(self, device: str, what: str) -> None:
        self._lanes[device].current = what
        self._show(device, what)

    def _show(self, device: str, what: str) -> None:
        text = f"{device} · {what}" if len(self._lanes) > 1 else what
        task = self._lanes[device].task
        self._progress.update(task, description=f"[bold]measure[/]   {_fit(text)}")

    def _seconds(self, kind: str) -> float:
        # The trial that finds how much warm-up a gate needs is timed as any other.
        of = "latency" if kind == "warmup" else kind
        return _AROUND_A_TRIAL + self._protocol.expected_seconds(of)


#: Columns that a bar's description takes.
_WIDTH = 36


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _fit(text: str, width: int = _WIDTH) -> str:
    """The text in exactly that width, so that the bars below each other stand still."""
    from rich.markup import escape

    text = plain(text)
    cut = text if len(text) <= width else text[: width - 1] + "…"
    return escape(cut.ljust(width))


def _fit_end(text: str) -> str:
    """The text likewise, but with its end kept: how many passes are done stands there."""
    head, space, passes = text.rpartition(" ")
    if space and "/" in passes and len(text) > _WIDTH:
        room = _WIDTH - len(passes) - 2
        text = f"{head[:room]}… {passes}"
    return _fit(text)


def device_table(found: Sequence[Found]) -> Table:
    """The devices, for a person."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("device", "kind", "what it is", "state", "battery", "app", "energy by"):
        table.add_column(column, overflow="fold")
    for device in found:
        what = ", ".join(
            filter(
                None,
                (
                    device.model,
                    f"Android {device.android}" if device.android else "",
                    device.soc,
                    "virtual: test equipment" if device.virtual else "",
                    f"also {', '.join(device.also)}" if device.also else "",
                ),
            )
        )
        heat = "" if device.temperature is None else f", {device.temperature:g} °C"
        thermal = f", thermal status {device.thermal}" if device.thermal else ""
        table.add_row(
            device.serial,
            device.kind,
            what,
            _readiness(device),
            "" if device.battery is None else f"{device.battery} %{heat}{thermal}",
            "" if device.app is None else str(device.app),
            device.power,
        )
    return table


def _readiness(device: Found) -> Text:
    if not device.ready:
        return Text(device.advice or device.state, "red")
    return Text(f"taken by {device.holder}", "yellow") if device.holder else Text("ready")


def check_table(checks: Sequence[Check]) -> Table:
    """What a doctor found, for a person."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = Text("✓", "green") if check.ok else Text("✗", "red")
        fix = " (--repair does it)" if check.can_repair and not check.ok else ""
        advice = "" if check.ok or not check.repair else f"\n→ {check.repair}"
        table.add_row(mark, check.name, Text.assemble(check.sentence, advice, (fix, "dim")))
    return table
