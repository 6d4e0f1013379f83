"""A watcher that keeps what it is given, and does something in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from mobilebench.records.trial import PlannedTrial, Trial
from mobilebench.runs.run import Quiet
from mobilebench_agent.contract import Event

#: Instead of an event's phase: as soon as the next trial begins.
BEGIN = "begin"


def interrupt() -> NoReturn:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


class Watcher(Quiet):
    """Acts once, when ``after`` trials have ended.

    Args:
        action: what to do; by default nothing.
        after: how many attempts at trials have ended by then.
        phase: act no sooner than the trial behind them reaches this phase of an event, or begins
            (:data:`BEGIN`); by default, as soon as the last of them has ended.
    """

    def __init__(
        self, action: Callable[[], object] | None = None, after: int = 0, phase: str = ""
    ) -> None:
        self.trials: list[PlannedTrial] = []
        self.records: list[Trial] = []
        self.action = action
        self._after = after
        self._phase = phase

    def on_trial(self, trial: PlannedTrial) -> None:
        self._act(BEGIN)
        self.trials.append(trial)

    def on_event(self, event: Event) -> None:
        self._act(event.phase)

    def on_record(self, record: Trial) -> None:
        self.records.append(record)
        self._act("")

    def _act(self, phase: str) -> None:
        if self.action is not None and phase == self._phase and len(self.records) >= self._after:
            action, self.action = self.action, None
            action()
