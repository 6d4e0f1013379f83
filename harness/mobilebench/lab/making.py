"""Compression over a lab: variants as a graph of stages, of which its hosts make each once.

Everything comes back into the client's own cache. What the lab does not make, for whatever reason,
the client makes itself afterwards, or says why it cannot.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.compress.artifact import Progress
from mobilebench.compress.pipeline import portable
from mobilebench.compress.pipeline.build_inputs import BuildInputs, plug_ins_of
from mobilebench.compress.recipe import ARROW, Recipe, parse_recipe
from mobilebench.compress.service import OnProgress
from mobilebench.compress.stages import Stage, stages_of
from mobilebench.compress.step import BaselineStep
from mobilebench.devices import interrupt
from mobilebench.errors import BadInputError, DeviceError
from mobilebench.files import sha256_of
from mobilebench.lab import maker
from mobilebench.lab.client import HOST, LOOK_SECONDS, MAKER, MAKING, Lab
from mobilebench.lab.host import Answer, me
from mobilebench.models.spec import NAMED_DATASETS, ModelSpec

if TYPE_CHECKING:
    from distributed import Client, Future

#: Files that travel; the rest may need others beside it, or an environment of its own.
_MODELS = (".keras", ".h5", ".hdf5", ".tflite")
_DATA = (".npz",)
_POLL_SECONDS = 0.5
#: After so long without a host that compresses, the client does it itself.
_AWAY_SECONDS = 60.0


@dataclass(frozen=True)
class _Wanted:
    """A variant that the lab can make and the client has not got."""

    spec: ModelSpec
    recipe: Recipe
    inputs: BuildInputs


def make_in_lab(
    lab: Lab,
    variants: Sequence[tuple[ModelSpec, Recipe]],
    seed: int,
    cache: Path,
    on_progress: OnProgress,
    packings: Collection[str],
) -> None:
    """Has a lab make variants, as far as it can; they are in the cache then.

    Args:
        lab: of whose hosts some compress; if none does, nothing happens.
        variants: models with recipes.
        seed: of everything random.
        cache: the client's.
        on_progress: called for each change.
        packings: whose sizes are measured.

    Raises:
        KeyboardInterrupt: Ctrl-C; the lab's hosts stop, and what was made is kept.
        InvalidRunError: the client's own disk is full or failing.
    """
    # Whatever is wrong with the lab, or with a model: compression on the client goes on, and says.
    with contextlib.suppress(DeviceError, BadInputError):
        hosts = lab.makers()
        wanted = _wanted(variants, seed, cache) if hosts else []
        if wanted:
            paths = dict.fromkeys(path for w in wanted for path in _paths(w.spec))
            files = {path: f"{sha256_of(Path(path))}{Path(path).suffix}" for path in paths}
            on_progress(Progress(0, len(wanted), "", "", "send files to the lab"))
            for name in hosts:
                # It has just gone, or its disk is full: others may have room.
                with contextlib.suppress(DeviceError, BadInputError):
                    lab.send(name, {stored: Path(path) for path, stored in files.items()})
            on_progress(Progress(0, len(wanted), "", "", "done"))
            _Graph(lab, wanted, files, seed, cache, on_progress, tuple(packings)).make()


def _wanted(variants: Sequence[tuple[ModelSpec, Recipe]], seed: int, cache: Path) -> list[_Wanted]:
    known: dict[str, BuildInputs | None] = {}
    found = []
    for spec, recipe in variants:
        if not _travels(spec, recipe):
            continue
        name = spec.model_dump_json()
        if name not in known:
            try:
                known[name] = BuildInputs.gather(spec, seed)
            except BadInputError:
                known[name] = None  # compression says so
        inputs = known[name]
        if inputs is None:
            continue
        steps = inputs.chain(recipe.steps)
        if any(isinstance(step, BaselineStep) for step in steps):
            continue  # of a ready file whose weights are unpacked, which takes a moment
        entry = portable.artifact(inputs, steps)
        if entry not in portable.read(cache, [entry]):
            found.append(_Wanted(spec, recipe, inputs))
    return found


def _travels(spec: ModelSpec, recipe: Recipe) -> bool:
    """Whether a host has all that it takes to make a variant once it has a few files."""
    models = [spec.source, *spec.teachers, *([spec.student] if spec.student else [])]
    return (
        all(text.startswith("zoo:") or _is_file(text, _MODELS) for text in models)
        and (spec.data is None or spec.data in NAMED_DATASETS or _is_file(spec.data, _DATA))
        and not recipe.needs_device
        and not plug_ins_of(recipe.steps)
    )


def _is_file(text: str, suffixes: Sequence[str]) -> bool:
    return Path(text).suffix in suffixes and Path(text).is_file()


def _paths(spec: ModelSpec) -> list[str]:
    """The files that a model consists of."""
    texts = [spec.source, spec.data, spec.student, *spec.teachers]
    return [text for text in texts if text and _is_file(text, (*_MODELS, *_DATA))]


@dataclass
class _Graph:
    """The stages of some variants on their way."""

    lab: Lab
    wanted: Sequence[_Wanted]
    files: Mapping[str, str]
    seed: int
    cache: Path
    on_progress: OnProgress
    packings: tuple[str, ...]
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    made: set[int] = field(default_factory=set)

    def make(self) -> None:
        """Asks for every stage, and keeps what comes."""
        from distributed.client import ClosedClientError

        named = [(w.spec.model_dump_json(), w.recipe) for w in self.wanted]
        stages = stages_of(named)
        client = self.lab.client()
        said: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        topic = maker.topic(self.token)
        futures: list[Future] = []
        try:
            client.subscribe_topic(topic, lambda event: said.put(event[1]))
            for number, stage in enumerate(stages):
                before = () if stage.before is None else (futures[stage.before],)
                futures.append(self._asked(client, number, stage, before))
            self._collect(client, stages, dict(enumerate(futures)), said)
        except (OSError, CancelledError, ClosedClientError):
            # The scheduler has gone, or a host with what stages were to go on from.
            if client.status == "running":
                self._stop(client, futures)
        except BaseException:
            self._stop(client, futures)
            raise
        finally:
            if client.status == "running":
                client.unsubscribe_topic(topic)

    def _asked(
        self, client: Client, number: int, stage: Stage, before: tuple[Future, ...]
    ) -> Future:
        """A stage's task, or what it came to on an earlier day."""
        of = self.wanted[stage.leads_to]
        chain = of.inputs.chain(stage.steps)
        entries = portable.entries(of.inputs, chain)
        known = portable.read(self.cache, entries)
        needed = {portable.artifact(of.inputs, chain), portable.state(of.inputs, chain)} - {None}
        if needed <= set(known):
            # Where it stays: what is at a device's worker goes with the device.
            workers = client.scheduler_info(n_workers=-1)["workers"].items()
            makers = [at for at, one in workers if str(one["name"]).startswith(MAKER)]
            return client.scatter(Answer(known), workers=makers, direct=True, hash=False)
        asked = maker.Stage(
            self.token,
            number,
            me(),
            of.spec,
            {path: self.files[path] for path in _paths(of.spec)},
            _recipe(of, stage),
            self.seed,
            self.packings,
            entries,
        )
        key = f"making-{self.token}-{number}"
        return client.submit(maker.make, asked, *before, key=key, resources={MAKING: 1}, pure=False)

    def _collect(
        self,
        client: Client,
        stages: Sequence[Stage],
        pending: dict[int, Future],
        said: queue.SimpleQueue[Mapping[str, Any]],
    ) -> None:
        deadline = time.monotonic() + _AWAY_SECONDS
        looked = time.monotonic()
        while pending:
            for number, future in list(pending.items()):
                if future.done():
                    del pending[number]
                    self._keep(client, stages[number], future)
            while not said.empty():
                event = said.get()
                if event["stage"] in pending:  # one that has ended is no longer shown
                    self._show(stages, event)
            interrupt.check()
            if time.monotonic() - looked > _AWAY_SECONDS / 6:
                looked = time.monotonic()
                if self.lab.makers():
                    deadline = looked + _AWAY_SECONDS
                elif looked > deadline:
                    client.cancel(list(pending.values()))
                    return
            time.sleep(_POLL_SECONDS)

    def _keep(self, client: Client, stage: Stage, future: Future) -> None:
        if future.status == "cancelled":
            raise CancelledError
        try:
            # From its host, and not by way of the scheduler, which has other things to do.
            answer = client.gather(future, direct=True)
        except Exception:  # Dask's own, of many kinds: its host has gone for good
            return
        if not isinstance(answer, Answer) or answer.error:
            return
        portable.write(self.cache, answer.value)
        if stage.variants:
            self.made.update(stage.variants)
            of = self.wanted[stage.variants[0]]
            self._report(of, "done", None)

    def _show(self, stages: Sequence[Stage], event: Mapping[str, Any]) -> None:
        of = self.wanted[stages[event["stage"]].leads_to]
        # How many passes are done stays at the end, where progress has it.
        self._report(of, f"{event['host']}: {event['step']}", event["fraction"])

    def _report(self, of: _Wanted, step: str, fraction: float | None) -> None:
        self.on_progress(
            Progress(
                *(len(self.made), len(self.wanted), of.spec.name, of.recipe.name, step),
                fraction=fraction,
            )
        )

    def _stop(self, client: Client, futures: Sequence[Future]) -> None:
        with contextlib.suppress(Exception):
            client.cancel(list(futures))
        with contextlib.suppress(DeviceError, BadInputError):
            for name in self.lab.makers():
                self.lab.ask(HOST + name, maker.stop, self.token, seconds=LOOK_SECONDS)


def _recipe(of: _Wanted, stage: Stage) -> Recipe:
    """The steps of a stage as a recipe of its own."""
    if not stage.steps:
        return parse_recipe("as_is" if of.inputs.source.kind == "tflite" else "float32")
    text = ARROW.join(step.text() for step in stage.steps)
    return Recipe(text, text, stage.steps)
