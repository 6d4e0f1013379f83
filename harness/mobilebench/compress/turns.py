"""Which process makes which stage next, where variants are made side by side. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mobilebench.compress.stages import Stage


class Turns:
    """Gives out stages, each once the one before it is made.

    A process goes on with what it began, as far as it can: it has that in memory.

    Args:
        stages: of :func:`mobilebench.compress.stages.stages_of`.
        is_settled: whether a variant, by its position there, is made or has failed.
    """

    def __init__(self, stages: Sequence[Stage], is_settled: Callable[[int], bool]) -> None:
        self.stages = stages
        self._is_settled = is_settled
        self._waiting = dict.fromkeys(range(len(stages)))  # in their order
        self._made_by: dict[int, int] = {}
        self._failed: set[int] = set()
        self._through: list[list[int]] = [[] for _ in stages]
        for number, stage in enumerate(stages):
            at: int | None = number
            while at is not None:
                self._through[at] += stage.variants
                at = stages[at].before

    def next(self, process: int) -> int | None:
        """The number of the stage that a process is to make; None while there is none for it.

        Stages behind one that failed go to the process that knows why: it need not try again.
        """
        ready = []
        for number in list(self._waiting):
            before = self.stages[number].before
            if before is not None and before not in self._made_by:
                continue
            if not self.left_of(number):  # all that need it have failed, or were there
                del self._waiting[number]
                self._made_by[number] = process
                continue
            if before in self._failed and self._made_by[before] != process:
                continue
            own = before is not None and self._made_by[before] == process
            ready.append((not own, number))
        if not ready:
            return None
        _, chosen = min(ready)
        del self._waiting[chosen]
        return chosen

    def left_of(self, number: int) -> list[int]:
        """The variants that still need a stage, in their order."""
        return sorted(v for v in self._through[number] if not self._is_settled(v))

    def passing(self, number: int) -> list[int]:
        """All variants that go through a stage."""
        return self._through[number]

    def ended(self, number: int, process: int, *, failed: bool) -> None:
        """A process has made a stage, or has failed to."""
        self._made_by[number] = process
        if failed:
            self._failed.add(number)
