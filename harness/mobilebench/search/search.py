"""A whole search: explore within a budget, confirm on unseen data, hand the files over."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mobilebench import clock
from mobilebench.cache import cache_folder
from mobilebench.compress.artifact import Progress
from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.compress.service import Compressor
from mobilebench.compress.step import unreported
from mobilebench.errors import (
    BadInputError,
    InterruptedRunError,
    InvalidRunError,
    MobileBenchError,
)
from mobilebench.files import disk_errors
from mobilebench.metrics import registry
from mobilebench.models.hooks import read_hooks
from mobilebench.records.runtime import Runtime
from mobilebench.runs.lanes import alone
from mobilebench.runs.latency_probe import latency_probe_on
from mobilebench.runs.leases import Leases
from mobilebench.runs.measure_files import FileMeasurer
from mobilebench.runs.run import Quiet, Watcher
from mobilebench.search import confirm
from mobilebench.search.bench import DeviceBench
from mobilebench.search.candidate import Candidate, candidate_of
from mobilebench.search.front import to_confirm
from mobilebench.search.ladder import Ladder
from mobilebench.search.loop import counted, explore, spent_by
from mobilebench.search.processes import Processes
from mobilebench.search.settings import JOURNAL, Settings, checked, read_settings
from mobilebench.search.study import Study
from mobilebench.search.traits import traits_of
from mobilebench.search.view import End, SearchState, SearchView

if TYPE_CHECKING:
    from mobilebench.compress.step import Report

#: What the journal keeps of the whole search.
_BASELINE, _METRIC, _SAMPLES, _RUN, _END = "baseline", "metric", "samples", "run", "end"


class SearchWatcher(Protocol):
    """Is given a search's progress."""

    def step(self, text: str) -> None:
        """Something is under way."""

    def view(self, view: SearchView) -> None:
        """The search stands so."""

    @property
    def run(self) -> Watcher:
        """Is given the progress of the run that confirms."""


class QuietSearch:
    """A watcher that says nothing."""

    run: Watcher = Quiet()

    def step(self, text: str) -> None:
        """Says nothing."""

    def view(self, view: SearchView) -> None:
        """Says nothing."""


@dataclass(frozen=True)
class Found:
    """What came of a search.

    ``files`` are those of the confirmed candidates, the chosen one first, or what came nearest.
    """

    view: SearchView
    files: tuple[Path, ...]

    @property
    def chosen_file(self) -> Path | None:
        """That of the chosen one; None: nothing was chosen, or the run did not make it."""
        return next((p for p in self.files if p.name.endswith(confirm.CHOSEN)), None)


def begin(settings: Settings, results: Path, watcher: SearchWatcher) -> Found:
    """Searches into a new folder below ``results``.

    Args:
        settings: what is searched for; of its space only what the model allows is tried.
        results: where the search, and the run that confirms it, get their folders.
        watcher: is given the progress.

    Raises:
        BadInputError: the model, its data, the device or the space cannot be used.
        InvalidRunError: the search cannot go on; ``folder`` of the error can be resumed.
        InterruptedRunError: by Ctrl-C, likewise.
    """
    traits = traits_of(settings.model, settings.aim, settings.seed)
    settings = settings.model_copy(update={"space": settings.space.within(traits)})
    folder = _new_folder(results, settings.name)
    return _search(settings, folder, watcher)


def resume(
    folder: Path, watcher: SearchWatcher, budget: float | None = None, most: int | None = None
) -> Found:
    """Goes on with a search; what was finished is not tried again.

    Args:
        folder: of the search.
        watcher: is given the progress.
        budget: seconds in all, in the place of what it was given before.
        most: candidates in all, likewise.

    Raises:
        As ``begin``.
    """
    settings = read_settings(folder)
    given = {"budget": budget, "most": most}
    update = {name: value for name, value in given.items() if value is not None}
    if update:
        settings = checked({**settings.model_dump(), **update})
    return _search(settings, folder, watcher, is_changed=bool(update))


def _new_folder(results: Path, name: str) -> Path:
    begun = f"{clock.moment():%Y%m%dT%H%M%SZ}-search-{name}"
    with disk_errors(results):
        results.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        folder = results / (begun if number == 1 else f"{begun}-{number}")
        with disk_errors(folder), contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise BadInputError(f"{results} has too many searches of this second")


def _search(
    settings: Settings, folder: Path, watcher: SearchWatcher, *, is_changed: bool = True
) -> Found:
    processes = Processes(folder)
    with processes.joined():
        if is_changed:
            settings.write(folder)
        study = Study(
            folder / JOURNAL,
            settings.space,
            settings.aim,
            settings.sampler,
            settings.seed,
            processes,
        )
        try:
            with Leases() as leases:  # the search's, and its run's
                session = _Search(settings, folder, study, watcher, leases, processes)
                try:
                    return session.go()
                except (KeyboardInterrupt, MobileBenchError):
                    session.show_interrupted()
                    raise
        except KeyboardInterrupt as error:
            raise InterruptedRunError(
                f"interrupted with {len(study.candidates())} candidates tried; {_again(folder)}",
                folder=folder,
            ) from error
        except InterruptedRunError as error:
            raise InterruptedRunError(
                f"interrupted while the front was confirmed; {_again(folder)}", folder=folder
            ) from error
        except InvalidRunError as error:
            raise InvalidRunError(
                f"{str(error).partition('; go on with')[0]}; {_again(folder)}", folder=folder
            ) from error


def _again(folder: Path) -> str:
    return f"go on with: mobilebench search --resume {folder}"


class _Search:
    """One session of a search."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        study: Study,
        watcher: SearchWatcher,
        leases: Leases,
        processes: Processes,
    ) -> None:
        self._processes = processes
        self._settings = settings
        self._folder = folder
        self._study = study
        self._watcher = watcher
        self._leases = leases
        self._is_shown = False

    def go(self) -> Found:
        def on_wait() -> None:
            self._watcher.step("wait for the other processes at this search")

        while True:
            end: End | None = None
            if not self._study.kept(_BASELINE) or not self._is_explored():
                with self._processes.searching():
                    end = self._explore()
            if self._processes.others:
                self._leases.release(self._settings.device.name)
            with self._processes.confirmation(on_wait):
                # Another process was to bring the last ones, and was ended before it did.
                if end != "candidates" or self._is_explored():
                    return self._confirm()

    def show_interrupted(self) -> None:
        """Shows how far it came; what an earlier session came to stays, if this one did nothing."""
        if self._is_shown:
            with contextlib.suppress(InvalidRunError):
                self._show("interrupted")

    def _is_explored(self) -> bool:
        most = self._settings.most
        enough = most is not None and len(self._study.candidates()) >= most
        return enough or spent_by(self._study) >= self._settings.budget

    def _explore(self) -> End:
        settings, study = self._settings, self._study
        study.keep(_END, None)
        self._watcher.step("look at the model and the device")
        # By value, not by name: what a search file says of a runtime is a suite's.
        runtime = Runtime(**settings.runtime.model_dump())
        with self._processes.turn(settings.device.name, self._leases, None):
            measurer = FileMeasurer.on(
                settings.device, runtime, settings.seed, self._leases, on_wait=self._watcher.step
            )
        probe = latency_probe_on(measurer.device, measurer.facts, runtime, settings.seed)
        spec = settings.model.model_copy(update={"split": "validation", "recipes": ()})

        def turn() -> contextlib.AbstractContextManager[None]:
            return self._processes.turn(
                settings.device.name, self._leases, measurer.device, self._watcher.step
            )

        def measure(files: Sequence[Path], report: Report = unreported, /) -> Sequence[float]:
            with turn():
                return probe.measure(files, report)

        def on_progress(progress: Progress) -> None:
            if progress.recipe and progress.step not in ("done", "failed", "start"):
                self._watcher.step(f"make {progress.recipe}: {progress.step}")

        def on_candidate(_candidate: Candidate, _all: Sequence[Candidate]) -> None:
            self._show("searching")

        with Compressor(
            seed=settings.seed,
            cache=cache_folder(),
            on_progress=on_progress,
            latency_probe=replace(probe, measure=measure),
        ) as compressor:
            with counted(study), turn():
                known = study.kept(_BASELINE)
                bench = DeviceBench(
                    spec,
                    compressor,
                    measurer,
                    read_hooks(spec.data),
                    settings.seed,
                    candidate_of(known).values.get("latency") if known else None,
                    turn,
                    self._watcher.step,
                )
                if known is None:
                    baseline = bench.baseline(settings.aim)
                    study.keep(_METRIC, bench.metric.name)
                    study.keep(_SAMPLES, bench.samples)
                    study.keep(_BASELINE, baseline.as_json())
            baseline = self._baseline()
            self._show("searching")
            # What shares the processor with the device would disturb what another process measures.
            is_alone = bool(alone([settings.device]))
            end = explore(
                study,
                Ladder(settings.aim, bench),
                baseline,
                self._start(),
                budget=settings.budget,
                most=settings.most,
                on_start=lambda recipe: self._watcher.step(f"try {recipe}"),
                on_candidate=on_candidate,
                turn=turn if is_alone else contextlib.nullcontext,
            )
            study.keep(_END, end)
        return end

    def _start(self) -> list[Recipe]:
        recipes = [parse_recipe(start.recipe) for start in self._settings.space.start]
        return list({recipe.text: recipe for recipe in recipes}.values())

    def _baseline(self) -> Candidate:
        return candidate_of(self._study.kept(_BASELINE))

    def _confirm(self) -> Found:
        settings = self._settings
        view = self._show("confirming")
        candidates = to_confirm(settings.aim, view.all, view.baseline.sha256)
        if not candidates and view.nearest is not None:
            candidates = [view.nearest]
        recipes = [candidate.recipe for candidate in candidates]
        kept = self._study.kept(_RUN)
        # Whoever searched on may have found others.
        unfinished = kept["folder"] if kept and kept["recipes"] == recipes else None
        results = self._folder.parent
        try:
            folder = confirm.confirm(
                settings,
                view.baseline.recipe,
                candidates,
                _found_by(view),
                results,
                self._watcher.run,
                self._leases,
                results / unfinished if unfinished else None,
            )
        except (InterruptedRunError, InvalidRunError) as error:
            if error.folder is not None:
                self._study.keep(_RUN, {"folder": error.folder.name, "recipes": recipes})
            raise
        self._study.keep(_RUN, {"folder": folder.path.name, "recipes": recipes})
        confirmed = confirm.read_confirmed(folder, settings.aim, view.metric, candidates)
        view = replace(view, state="finished", confirmed=confirmed, run=folder.path)
        confirm.note(folder, optimism(view))
        files = confirm.deliver(
            settings,
            self._folder,
            folder,
            view.baseline.recipe,
            recipes,
            "nearest" if view.chosen is None else "chosen",
        )
        self._watcher.view(view)
        return Found(view, tuple(files))

    def _show(self, state: SearchState) -> SearchView:
        settings, study = self._settings, self._study
        view = SearchView(
            self._folder,
            settings.name,
            settings.model.name,
            settings.device.name,
            state,
            settings.aim,
            registry()[study.kept(_METRIC)],
            int(study.kept(_SAMPLES)),
            self._baseline(),
            tuple(study.candidates()),
            spent_by(study),
            settings.budget,
            end=study.kept(_END),
        )
        self._is_shown = True
        self._watcher.view(view)
        return view


def _found_by(view: SearchView) -> str:
    count = len(view.candidates)
    return (
        f"these recipes were found by a search of {count} candidates, and chosen on "
        f"{view.samples} samples; none of those is among the ones that they are evaluated on here"
    )


def optimism(view: SearchView) -> str:
    """How far the choice was too hopeful, in a sentence."""
    more = view.optimism
    if more is None:
        return "how optimistic the choice was is not known: nothing that was chosen was measured"
    worse = "more" if more >= 0 else "less"
    return (
        f"on average they lose {abs(more):.2f} {view.unit} {worse} on these samples than on those "
        "that they were chosen on"
    )
