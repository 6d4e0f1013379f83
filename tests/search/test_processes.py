"""Several processes at one search: each candidate once, and nothing lost by a kill."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mobilebench.compress.artifact import Artifact, Failure
from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.runs.leases import Leases, OnWait
from mobilebench.search.aim import Aim
from mobilebench.search.ladder import Ladder
from mobilebench.search.loop import TimeSpent, explore, spent_by
from mobilebench.search.processes import Processes
from mobilebench.search.space import TRAITS, read_space
from mobilebench.search.study import Study

from tests.support.search import BASELINE, RecordedBench

AIM = Aim(("size", "latency"), {}, 1.0)
SPACE = read_space(None).within({*TRAITS} - {"download"})
START = [parse_recipe(start.recipe) for start in SPACE.start]
MOST = 16


#: How many processes are at the search.
TOGETHER = 2


class SlowBench(RecordedBench):
    """Takes a moment for each file, and notes it where all processes do; may die of one.

    Nobody goes on before each process has a candidate of its own, however slowly one starts.
    """

    def __init__(self, notes: Path, dies_after: int | None, outlives: bool) -> None:
        super().__init__()
        self._notes = notes
        self._dies_after = dies_after
        self._outlives = outlives

    def make(self, recipe: Recipe) -> Artifact | Failure:
        if len(self.made) == self._dies_after:
            with self._notes.open("a", encoding="utf-8") as notes:
                notes.write(f"died {recipe.text}\n")
            os._exit(9)
        time.sleep(0.05)
        (self._notes.parent / f"begun.{os.getpid()}").touch()
        wait_until(lambda: len([*self._notes.parent.glob("begun.*")]) == TOGETHER)
        if self._outlives:
            wait_until(lambda: "died" in self._notes.read_text("utf-8"))
        return super().make(recipe)


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)


def work(folder: Path, dies_after: int | None, outlives: bool) -> None:
    """One process of a search, from its beginning to its end."""
    processes = Processes(folder)
    with processes.joined(), processes.searching():
        study = Study(folder / "journal.log", SPACE, AIM, processes=processes)
        notes = folder / "notes"

        def note(candidate: Any, _: Any) -> None:
            with notes.open("a", encoding="utf-8") as file:
                file.write(f"{processes.token} {candidate.recipe}\n")

        ladder = Ladder(AIM, SlowBench(notes, dies_after, outlives))
        explore(study, ladder, BASELINE, START, budget=1e9, most=MOST, on_candidate=note)


def searched(folder: Path, *dies_after: int | None) -> tuple[list[str], list[list[str]]]:
    """The candidates of a search by so many processes, and what each process noted."""
    context = multiprocessing.get_context("spawn")
    (folder / "notes").touch()
    outlives = [dies is None and any(dies_after) for dies in dies_after]
    others = [
        context.Process(target=work, args=(folder, *each))
        for each in zip(dies_after, outlives, strict=True)
    ]
    for other in others:
        other.start()
    for other in others:
        other.join(120)
        assert other.exitcode == (0 if dies_after[others.index(other)] is None else 9)
    study = Study(folder / "journal.log", SPACE, AIM)
    lines = (folder / "notes").read_text("utf-8").splitlines()
    return [c.recipe for c in study.candidates()], [line.split(" ", 1) for line in lines]


def test_two_processes_try_each_candidate_once(tmp_path: Path) -> None:
    recipes, noted = searched(tmp_path, None, None)
    assert len(recipes) == len({*recipes}) == MOST
    assert sorted(recipe for _, recipe in noted) == sorted(recipes)
    assert len({token for token, _ in noted}) == 2
    assert {start.text for start in START} <= {*recipes}


def test_what_a_killed_process_was_at_is_tried_by_another(tmp_path: Path) -> None:
    recipes, noted = searched(tmp_path, None, 3)
    assert len(recipes) == len({*recipes}) == MOST
    (died,) = (text for who, text in noted if who == "died")
    assert died in {recipe for who, recipe in noted if who != "died"}


def test_time_that_processes_spend_together_counts_once(tmp_path: Path) -> None:
    now = SimpleNamespace(time=100.0)
    first, second = (Study(tmp_path / "journal.log", SPACE, AIM) for _ in range(2))
    spans = [TimeSpent(study, lambda: now.time) for study in (first, second)]
    now.time = 130.0
    for span in spans:
        span.count()
    assert spent_by(first) == 30
    now.time = 500.0
    later = TimeSpent(second, lambda: now.time)
    now.time = 510.0
    later.count()
    assert spent_by(first) == 40


class Lent(Leases):
    """Notes who takes the device and who gives it back."""

    def __init__(self, log: list[str], name: str) -> None:
        super().__init__()
        self._log = log
        self._name = name

    def take(self, _device: Any, on_wait: OnWait = lambda _text: None) -> None:
        on_wait("a stranger has it")
        self._log.append(f"{self._name} takes")

    def release(self, _name: str) -> None:
        self._log.append(f"{self._name} releases")


def test_a_device_goes_from_one_process_to_the_other(tmp_path: Path) -> None:
    log: list[str] = []
    device: Any = SimpleNamespace(name="phone")
    first, second = Processes(tmp_path), Processes(tmp_path)
    with first.joined():
        waited: list[str] = []
        with first.turn("phone", Lent(log, "first"), device, waited.append):
            pass
        assert log == ["first takes"]  # alone, it keeps it
        assert waited == ["a stranger has it"]
        with second.joined():
            with first.turn("phone", Lent(log, "first"), device):
                pass
            assert log[1:] == ["first releases", "first takes", "first releases"]
            assert second.is_there(first.token)
        with second.turn("phone", Lent(log, "second"), device):
            pass
        assert log[4:] == ["second releases", "second takes", "second releases"]
    assert not second.is_there(first.token)


def test_nothing_is_confirmed_while_another_searches(tmp_path: Path) -> None:
    first, second = Processes(tmp_path), Processes(tmp_path)
    waited: list[str] = []
    searching = contextlib.ExitStack()
    searching.enter_context(first.searching())

    def on_wait() -> None:
        waited.append("waits")
        searching.close()

    with second.confirmation(on_wait):
        assert waited == ["waits"]
    with pytest.raises(KeyError), first.confirmation(on_wait):
        raise KeyError
    with second.confirmation(on_wait):
        assert waited == ["waits"]
