"""Compression on a lab host: one stage of a recipe, which goes on from what others have made.

Dask runs :func:`make` on a host that compresses, and carries what a stage has made to the hosts
whose stages go on from there.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mobilebench.cache import cache_folder
from mobilebench.compress.artifact import Progress
from mobilebench.compress.pipeline import portable
from mobilebench.compress.recipe import Recipe
from mobilebench.compress.service import Compressor
from mobilebench.errors import BadInputError
from mobilebench.lab import shard
from mobilebench.lab.host import Answer, answering, this_host
from mobilebench.models.spec import ModelSpec
from mobilebench.text import plain


@dataclass(frozen=True)
class Stage:
    """A stage as a client asks for it.

    Attributes:
        token: of all stages that the client asks for at once.
        number: of this one among them.
        who: for whom.
        spec: the model, with the paths that the client's files have there.
        files: what those paths are called among the files of this host.
        recipe: its steps from the model on.
        seed: of everything random.
        packings: whose sizes are measured.
        entries: of the cache: what is to be sent back, as far as it was made.
    """

    token: str
    number: int
    who: str
    spec: ModelSpec
    files: Mapping[str, str]
    recipe: Recipe
    seed: int
    packings: tuple[str, ...]
    entries: tuple[str, ...]


@answering
def make(stage: Stage, *before: Answer) -> portable.Parcel:
    """Makes a stage.

    Args:
        stage: what is made.
        before: what the stages that it goes on from came to.
    """
    from distributed import get_worker

    host, worker, cache = this_host(), get_worker(), cache_folder()
    for answer in before:
        portable.write(cache, answer.or_raise())

    def report(progress: Progress) -> None:
        if stage.token in host.stopped:  # before there was a process to end
            raise BadInputError("it was stopped")
        if progress.step in ("done", "failed"):  # of the stage: the client has more of the variant
            return
        said = {"stage": stage.number, "host": host.name, "step": progress.step}
        with contextlib.suppress(Exception):  # nobody listens any more
            worker.log_event(topic(stage.token), {**said, "fraction": progress.fraction})

    compressor = Compressor(
        seed=stage.seed, cache=cache, on_progress=report, packings=stage.packings
    )
    with host.lock:
        if stage.token in host.stopped:
            raise BadInputError("it was stopped")
        host.making.setdefault(stage.token, []).append(compressor)
    host.say(plain(f"makes {stage.recipe.text} of {stage.spec.name} for {stage.who}"))
    try:
        with compressor, _at_hand(stage) as spec:
            outcome = compressor.make([(spec, stage.recipe)])
    finally:
        with host.lock:
            host.making[stage.token].remove(compressor)
    if outcome.failures:
        raise BadInputError(f"{outcome.failures[0].step}: {outcome.failures[0].reason}")
    return portable.read(cache, stage.entries)


@answering
def stop(token: str) -> None:
    """Ends the stages of a client that was interrupted, and begins none of them any more."""
    host = this_host()
    with host.lock:
        host.stopped.add(token)
        under_way = list(host.making.get(token, ()))
    for compressor in under_way:
        compressor.close()


def topic(token: str) -> str:
    """What the progress of a client's stages is published under."""
    return f"making-{token}"


@contextlib.contextmanager
def _at_hand(stage: Stage) -> Iterator[ModelSpec]:
    """The model with its files here, under the names that they have at the client."""
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as folder:
        here: dict[str, str] = {}
        for number, (path, name) in enumerate(stage.files.items()):
            file = shard.file_here(name)
            if not file.is_file():
                raise BadInputError(f"{name} did not come to this host")
            place = Path(folder) / str(number) / Path(path).name
            place.parent.mkdir()
            place.symlink_to(file.resolve())
            here[path] = str(place)
        yield with_paths(stage.spec, here)


def with_paths(spec: ModelSpec, paths: Mapping[str, str]) -> ModelSpec:
    """A model with other paths in the place of those that it names."""
    return spec.model_copy(
        update={
            "source": paths.get(spec.source, spec.source),
            "data": paths.get(spec.data or "", spec.data),
            "student": paths.get(spec.student or "", spec.student),
            "teachers": tuple(paths.get(teacher, teacher) for teacher in spec.teachers),
        }
    )
