"""How far something is, reported to whoever wants to know."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mobilebench.text import percent

if TYPE_CHECKING:
    from mobilebench_agent.contract import Event

    from mobilebench.compress.artifact import Failure
    from mobilebench.compress.artifact import Progress as CompressProgress
    from mobilebench.records.run import Refusal
    from mobilebench.records.trial import PlannedTrial, Trial
    from mobilebench.runs.run import Watcher
    from mobilebench.suite.schema import Suite


@dataclass(frozen=True)
class Progress:
    """One report of progress.

    Attributes:
        stage: ``compress`` while files are made, ``measure`` while trials run.
        text: what is under way or what has just ended, in plain words for a person.
        done: how many are finished: variants while files are made, trials of ``device`` then.
        total: of how many.
        device: by its name in the suite; empty while files are made.
    """

    stage: Literal["compress", "measure"]
    text: str
    done: int
    total: int
    device: str = ""


#: Is given each report. Reports never overlap, but they come from several threads where there are
#: several devices. What it raises ends the run, which can be resumed.
OnProgress = Callable[[Progress], None]


def watcher_of(progress: OnProgress | Watcher | None) -> Watcher:
    """What the inner rooms report to, for a callback; a display that is one already is itself."""
    if progress is None:
        from mobilebench.runs.run import Quiet

        return Quiet()
    return _Reporter(progress) if callable(progress) else progress


class _Reporter:
    """A watcher that makes one kind of report of all events."""

    def __init__(self, report: OnProgress) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._variants = (0, 0)
        self._done: Counter[str] = Counter()
        self._total: Counter[str] = Counter()
        self._devices: dict[str, str] = {}

    def compressing(self, progress: CompressProgress) -> None:
        """A variant is being made."""
        self._variants = progress.done, progress.total
        what = " · ".join(filter(None, (progress.model, progress.recipe)))
        self._say("compress", f"{what}: {progress.step}" if what else progress.step)

    def not_made(self, failure: Failure) -> None:
        """A variant could not be made."""
        self._say("compress", f"not made: {failure.model} · {failure.recipe}: {failure.reason}")

    def refused(self, refusal: Refusal) -> None:
        """A variant is not measured in one place."""
        where = f"{refusal.recipe} on {refusal.device} · {refusal.runtime}"
        self._say("compress", f"not measured: {refusal.model} · {where}: {refusal.reason}")

    def measuring(self, plan: Sequence[PlannedTrial], finished: Set[str], suite: Suite) -> None:  # noqa: ARG002
        """Trials begin."""
        self._devices = {trial.trial: trial.device for trial in plan}
        self._total = Counter(trial.device for trial in plan)
        self._done = Counter(trial.device for trial in plan if trial.trial in finished)
        for device, total in self._total.items():
            self._say("measure", f"{total - self._done[device]} trials to run", device)

    def on_trial(self, trial: PlannedTrial) -> None:
        """A trial starts."""
        what = f"{trial.kind}, block {trial.block + 1}, {trial.model} · {trial.recipe}"
        self._say("measure", f"{what} · {trial.runtime}", trial.device)

    def on_event(self, event: Event) -> None:
        """A trial goes on."""
        share = f" {percent(event.done, 0)}" if event.done else ""
        self._say("measure", f"{event.phase}{share}", self._devices[event.trial])

    def on_record(self, record: Trial) -> None:
        """A trial has ended, or is to be repeated."""
        what = f"{record.kind}, {record.model} · {record.recipe} · {record.runtime}"
        why = f": {record.reason}" if record.reason else ""
        with self._lock:
            self._done[record.device] += record.is_final
        self._say("measure", f"{record.state}: {what}{why}", record.device)

    def _say(self, stage: Literal["compress", "measure"], text: str, device: str = "") -> None:
        with self._lock:
            if stage == "compress":
                done, total = self._variants
            else:
                done, total = self._done[device], self._total[device]
            self._report(Progress(stage, text, done, total, device))
