"""Looking for the file to ship; a compressor that stays alive; files measured in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from mobilebench.api.arguments import (
    InputShapes,
    StrPath,
    device_specs,
    path_or_none,
    shapes_by_input,
    text_or_none,
    texts,
    without_none,
)
from mobilebench.api.progress import OnProgress, watcher_of
from mobilebench.errors import BadInputError

if TYPE_CHECKING:
    from types import TracebackType

    from mobilebench.compress.artifact import Artifact, Failure
    from mobilebench.devices.checks import DeviceCheck
    from mobilebench.devices.spec import DeviceSpec
    from mobilebench.runs.measure_many import Measured
    from mobilebench.runs.run import Watcher
    from mobilebench.search.search import Found, SearchWatcher
    from mobilebench.search.view import SearchView
    from mobilebench.suite.schema import Suite


#: Seconds of a search.
_BUDGET = 3600.0


def search(
    model: StrPath | None = None,
    *,
    data: StrPath | None = None,
    task: str | None = None,
    student: StrPath | None = None,
    teachers: StrPath | Sequence[StrPath] = (),
    shapes: InputShapes = (),
    signature: str | None = None,
    device: str | DeviceSpec = "local",
    threads: int | None = None,
    cpus: Sequence[int] | None = None,
    minimize: str | Sequence[str] = ("size", "latency"),
    limits: Mapping[str, float] | None = None,
    max_quality_loss: float = 1.0,
    budget: float | None = None,
    most: int | None = None,
    space: StrPath | None = None,
    start: str | Sequence[str] = (),
    sampler: Literal["tpe", "nsga2", "random"] = "tpe",
    seed: int = 0,
    blocks: int | None = None,
    allow: Sequence[DeviceCheck] = (),
    results: StrPath = "results",
    resume: StrPath | None = None,
    progress: SearchWatcher | None = None,
    command: Sequence[str] = (),
) -> Found:
    """Searches for the recipe to ship: within a budget, on a device, by quality on labelled data.

    Half of the evaluation data chooses; what was found is then measured by an ordinary run on the
    other half, which no choice has seen.

    Args:
        model: ``zoo:NAME``, a ``.keras`` file, a SavedModel folder or a ``.tflite`` file.
        data: an ``.npz`` or ``.py`` file, or a set by name; it must have labelled evaluation data.
        task: what the model is for; None: found from the labels and the outputs.
        student: the smaller model that ``distill`` trains.
        teachers: what ``distill`` learns from in the model's place.
        shapes: of inputs that the model leaves open, with the batch: by name, or of the only one.
        signature: which one of a file's is meant; None: the first.
        device: where candidates are measured, and confirmed.
        threads: of the runtime; None: 1.
        cpus: to which everything measured is kept.
        minimize: of ``size``, ``download`` (gzip), ``macs`` (multiply-accumulates of an inference),
            ``latency``, ``memory`` and ``energy``, the most important first.
        limits: the largest value of each of those, in bytes, nanoseconds or joules.
        max_quality_loss: how much worse than the model as it is, in the unit that reports show:
            points of a share, the metric's own unit of anything else.
        budget: seconds, an hour if nothing is said; the run that confirms comes on top.
        most: candidates at most.
        space: a TOML file with what may be tried; None: what MobileBench knows, as far as the
            model allows it.
        start: recipes to begin with, before those of the space.
        sampler: ``tpe``, ``nsga2`` or ``random``.
        seed: of training, calibration, inputs and proposals.
        blocks: of the run that confirms; None: 6.
        allow: checks that the device may fail; the run says so.
        results: the folder in which the search and its run get theirs.
        resume: the folder of a search to go on with, instead of ``model``; ``budget`` and ``most``
            are then those of all sessions together.
        progress: is given the progress.
        command: what the search says that it was asked for by.

    Returns:
        The search: ``view`` has the candidates, the front, the chosen one and what was confirmed,
        ``files`` the ``.tflite`` files, of which ``chosen_file`` is the one to ship, if any is.
        Its page is ``search.html`` in ``view.folder``.

    Raises:
        BadInputError: something cannot be had or is not valid.
        InvalidRunError: it cannot go on; ``folder`` of the error can be resumed.
        InterruptedRunError: by Ctrl-C, likewise.
    """
    from mobilebench.search import search as searching

    watcher = _PageWriter(progress or searching.QuietSearch())
    if resume is not None:
        if model is not None or data is not None or space is not None or start:
            raise BadInputError(
                "resume goes on with the search as it was begun: leave the rest out"
            )
        return searching.resume(Path(resume), watcher, budget, most)
    if model is None:
        raise BadInputError("name a model to search for, or a search to resume")
    from mobilebench.search import settings as searches
    from mobilebench.search.space import Start, read_space

    suite = _suite(
        model,
        device=device,
        allow=allow,
        threads=threads,
        cpus=cpus,
        seed=seed,
        data=text_or_none(data),
        task=task,
        student=text_or_none(student),
        teachers=texts(teachers),
        shapes=shapes_by_input(shapes),
        signature=signature,
    )
    found = read_space(path_or_none(space))
    own = tuple(Start(recipe=recipe) for recipe in texts(start))
    chosen: dict[str, Any] = {
        "name": suite.name,
        "model": suite.models[0],
        "device": suite.devices[0],
        "runtime": suite.runtimes[0],
        "minimize": tuple(texts(minimize)),
        "limits": dict(limits or {}),
        "max_loss": max_quality_loss,
        "space": found.model_copy(update={"start": (*own, *found.start)}),
        "sampler": sampler,
        "seed": seed,
        "budget": _BUDGET if budget is None else budget,
        "most": most,
        "command": tuple(command) or ("mobilebench.search",),
        **without_none(blocks=blocks),
    }
    return searching.begin(searches.checked(chosen), Path(results), watcher)


class Compressor:
    """Makes one recipe of a model after the other, in a process that stays alive.

    TensorFlow is started once, and what was trained for one recipe is there for the next:

        with mobilebench.Compressor("model.keras", data="data.npz") as compressor:
            made = compressor.make("prune_channels(0.5) -> int8")

    Args:
        model: ``zoo:NAME``, a ``.keras`` file, a SavedModel folder or a ``.tflite`` file.
        data: an ``.npz`` or ``.py`` file, or a set by name.
        student: the smaller model that ``distill`` trains.
        teachers: what ``distill`` learns from in the model's place.
        shapes: of inputs that the model leaves open, with the batch: by name, or of the only one.
        signature: which one of a file's is meant; None: the first.
        seed: of training and calibration.
        progress: is given each ``Progress``.

    Raises:
        BadInputError: a setting is not valid.
    """

    def __init__(
        self,
        model: StrPath,
        *,
        data: StrPath | None = None,
        student: StrPath | None = None,
        teachers: StrPath | Sequence[StrPath] = (),
        shapes: InputShapes = (),
        signature: str | None = None,
        seed: int = 0,
        progress: OnProgress | Watcher | None = None,
    ) -> None:
        from mobilebench.cache import cache_folder
        from mobilebench.compress import service

        suite = _suite(
            model,
            seed=seed,
            data=text_or_none(data),
            student=text_or_none(student),
            teachers=texts(teachers),
            shapes=shapes_by_input(shapes),
            signature=signature,
        )
        self._model = suite.models[0]
        self._compressor = service.Compressor(
            seed=seed, cache=cache_folder(), on_progress=watcher_of(progress).compressing
        )

    def make(self, recipe: str) -> Artifact | Failure:
        """The file of a recipe, from the cache or made now.

        Returns:
            An ``Artifact`` (its ``path`` in the cache, sizes in bytes, warnings and provenance), or
            a ``Failure`` with the ``step`` and the ``reason``.

        Raises:
            BadInputError: the model, its data or the recipe is not there or not valid.
        """
        from mobilebench.compress.recipe import parse_recipe

        outcome = self._compressor.make([(self._model, parse_recipe(recipe))])
        return outcome.artifacts[0] if outcome.artifacts else outcome.failures[0]

    def close(self) -> None:
        """Ends the process; what is made next begins another."""
        self._compressor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def measure(
    *files: StrPath,
    data: StrPath | None = None,
    task: str | None = None,
    device: str | DeviceSpec = "local",
    threads: int | None = None,
    cpus: Sequence[int] | None = None,
    rounds: int = 4,
    seconds: float = 0.3,
    seed: int = 0,
    allow: Sequence[DeviceCheck] = (),
) -> list[Measured]:
    """Measures ready files in turn, with their answers; quick, and without a run's folder.

    For what looks at many files. To show a difference to others take ``run``: it has a plan,
    replicates, parity and a report.

    Args:
        files: ``.tflite`` files of the same inputs and outputs.
        data: labelled data to score them on; None: they are not scored.
        task: what they are for; None: found from the labels and the outputs.
        device: where.
        threads: of the runtime; None: 1.
        cpus: to which every process is kept.
        rounds: fresh processes for each file.
        seconds: timed in each.
        seed: of the inputs.
        allow: checks that the device may fail.

    Returns:
        For each file, in their order, what was measured.

    Raises:
        BadInputError: a file, the data or the device is not there or not valid.
        InvalidRunError: the device is unfit.
    """
    from mobilebench.runs import measure_many

    if not files:
        raise BadInputError("name at least one file to measure")
    if rounds < 1 or seconds < 0:
        raise BadInputError("rounds must be 1 or more, and seconds 0 or more")
    suite = _suite(
        *files,
        device=device,
        allow=allow,
        threads=threads,
        cpus=cpus,
        seed=seed,
        data=text_or_none(data),
        task=task,
    )
    return measure_many.measure_many(suite, [Path(file) for file in files], rounds, seconds)


class _PageWriter:
    """Writes the page whenever the search has moved on, and passes everything on."""

    def __init__(self, watcher: SearchWatcher) -> None:
        self._watcher = watcher
        self.run = watcher.run

    def step(self, text: str) -> None:
        self._watcher.step(text)

    def view(self, view: SearchView) -> None:
        from mobilebench.files import write_atomically
        from mobilebench.report.exports import search as shown
        from mobilebench.search.settings import PAGE

        write_atomically(view.folder / PAGE, shown.html(view).encode())
        self._watcher.view(view)


def _suite(
    *files: StrPath,
    device: str | DeviceSpec = "local",
    allow: Sequence[DeviceCheck] = (),
    threads: int | None = None,
    cpus: Sequence[int] | None = None,
    seed: int = 0,
    **given: Any,
) -> Suite:
    """One model and its settings, validated, with its paths made whole."""
    from mobilebench.suite import choose

    specs = device_specs(device, allow)
    if len(specs) != 1:
        raise BadInputError(f"one device measures, and {len(specs)} are named")
    overrides = without_none(threads=threads, cpus=cpus, seed=seed, devices=specs)
    return choose.choose_suite([Path(f) for f in files], overrides=overrides, **given)
