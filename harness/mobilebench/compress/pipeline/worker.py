"""The child process that compresses: requests on stdin, a line each; JSON lines on stdout.

It exists so that TensorFlow's memory and threads are gone before anything is measured, and so
that a converter that aborts takes a variant with it, not the run. It ends when its parent does.

    {"type": "progress", "variant": 0, "step": "prune(0.8)", "done": 3.4, "of": 15}
    {"type": "measure", "variant": 0, "files": ["/…/a.tflite", …]}
    {"type": "artifact", "variant": 0, "cached": false, "artifact": {…}}
    {"type": "failure", "variant": 1, "step": "int8", "reason": "…", "refused": "…"}
    {"type": "shared", "variant": 1}
    {"type": "bad_input", "message": "…"}        {"type": "invalid", "message": "…"}
    {"type": "end"}

To ``measure`` it gets one line on stdin: {"seconds": [0.0031, …]} or {"reason": "…"}. After ``end``
it waits for the next request, and keeps what it has loaded and trained.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.compress.artifact import Artifact
from mobilebench.compress.pipeline.build import ModelBuilder
from mobilebench.compress.pipeline.cache import Cache
from mobilebench.compress.pipeline.latency import LatencyProbe, NotMeasuredError
from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.compress.step import unreported
from mobilebench.errors import BadInputError, InvalidRunError, StepError, first_line
from mobilebench.models.spec import ModelSpec

if TYPE_CHECKING:
    from mobilebench.compress.step import Report

Send = Callable[[dict[str, Any]], None]
#: Waits for the next line that the parent says.
Receive = Callable[[], dict[str, Any]]

#: Objects that come into being between two looks for garbage.
_OBJECTS_BETWEEN = 50_000
#: Seconds between two lines of progress within one step.
_PROGRESS_INTERVAL = 0.2


def main() -> None:
    """Serves requests until the parent closes stdin."""
    # A file's graph is tens of thousands of small objects that stay: looking for garbage among
    # them every 700 was an eighth of the CPU time of quantizing MobileNetV2.
    gc.set_threshold(_OBJECTS_BETWEEN)
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever libraries print goes to the log

    def send(message: dict[str, Any]) -> None:
        lines.write(json.dumps(message, ensure_ascii=False, allow_nan=False) + "\n")
        lines.flush()

    said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(said.put,), daemon=True).start()
    session = Session(send, said.get)
    while True:  # the listening thread ends the process
        session.work(said.get())


def work(request: dict[str, Any], send: Send, receive: Receive) -> None:
    """Makes the variants of one request; see ``Session.work``."""
    Session(send, receive).work(request)


class Session:
    """Serves requests of one seed, cache, scratch folder and device, one after the other.

    Args:
        send: takes one message.
        receive: gives one answer.
    """

    def __init__(self, send: Send, receive: Receive) -> None:
        self._send = send
        self._receive = receive
        self._reporter = _Reporter(send)
        # By source, too: a variant that was made elsewhere bears its model's name.
        self._builders: dict[str, ModelBuilder] = {}

    def work(self, request: dict[str, Any]) -> None:
        """Makes the variants of a request, and sends what comes of each.

        Args:
            request: ``variants`` (number, model, recipe and, where only its first so many steps
                are to be made, ``steps``), ``seed``, ``cache``, ``scratch``, ``packings``, whose
                sizes are measured, ``device``, the name of what latency can be measured on, or
                None, and ``only_look``: whether only what is in the cache or cannot be had is
                wanted.
        """
        try:
            variants = [self._variant(entry, request) for entry in request["variants"]]
            possible = _possible(variants, self._builders, self._send)
            if request.get("only_look"):
                possible = [v for v in possible if self._builders[v.model].find(v.recipe)]
            for variant in possible:
                self._reporter.variant = variant.number
                _make(variant, self._builders[variant.model], self._reporter, self._send)
        except BadInputError as error:
            self._send({"type": "bad_input", "message": str(error)})
        except KeyboardInterrupt:  # a user's code raised it: Ctrl-C does not reach this process
            message = "the code of a data file failed with KeyboardInterrupt"
            self._send({"type": "bad_input", "message": message})
        except InvalidRunError as error:
            self._send({"type": "invalid", "message": str(error)})
        self._send({"type": "end"})

    def _variant(self, entry: dict[str, Any], request: dict[str, Any]) -> _Variant:
        spec = ModelSpec.model_validate(entry["model"])
        recipe = parse_recipe(entry["recipe"])
        key = spec.model_dump_json()
        if key not in self._builders:
            device = request.get("device")
            self._builders[key] = ModelBuilder(
                spec,
                seed=request["seed"],
                cache=Cache(Path(request["cache"]), Path(request["scratch"])),
                report=self._reporter,
                latency_probe=None if device is None else LatencyProbe(device, self._measure),
                packings=request["packings"],
            )
        return _Variant(int(entry["number"]), key, recipe, entry.get("steps"))

    def _measure(self, files: Sequence[Path], _report: Report = unreported, /) -> list[float]:
        paths = [str(file) for file in files]
        self._send({"type": "measure", "variant": self._reporter.variant, "files": paths})
        answer = self._receive()
        if "reason" in answer:
            raise NotMeasuredError(answer["reason"])
        return [float(seconds) for seconds in answer["seconds"]]


@dataclass(frozen=True)
class _Variant:
    """A variant's number, its builder's key, its recipe, and how many steps of it are made."""

    number: int
    model: str
    recipe: Recipe
    steps: int | None


def _make(variant: _Variant, builder: ModelBuilder, reporter: _Reporter, send: Send) -> None:
    number, recipe = variant.number, variant.recipe
    cached = builder.find(recipe) is not None
    if not cached:
        reporter("start", 0, 0)
    try:
        if variant.steps is not None:
            builder.begin(recipe, variant.steps)
            send({"type": "shared", "variant": number})
            return
        artifact = builder.build(recipe)
    except StepError as error:
        step = error.step or recipe.text
        send({"type": "failure", "variant": number, "step": step, "reason": str(error)})
    except BadInputError as error:
        send(_refused(number, recipe.text, error, builder.name))
    except InvalidRunError:
        raise
    except Exception as error:  # a library's own fault costs this variant, not the others
        import traceback

        traceback.print_exc()
        first = first_line(error)
        reason = f"{type(error).__name__}: {first}"
        send({"type": "failure", "variant": number, "step": reporter.step, "reason": reason})
    else:
        document = _document(artifact)
        send({"type": "artifact", "variant": number, "cached": cached, "artifact": document})


def _possible(
    variants: Sequence[_Variant], builders: Mapping[str, ModelBuilder], send: Send
) -> list[_Variant]:
    """The variants whose recipe suits their model; the others are reported as failures.

    Raises:
        BadInputError: there are none.
    """
    refused: dict[int, BadInputError] = {}
    for variant in variants:
        try:
            builders[variant.model].require(variant.recipe)
        except BadInputError as error:
            refused[variant.number] = error
    if refused and len(refused) == len(variants):
        raise next(iter(refused.values()))
    for variant in variants:
        if error_of := refused.get(variant.number):
            name = builders[variant.model].name
            send(_refused(variant.number, variant.recipe.text, error_of, name))
    return [variant for variant in variants if variant.number not in refused]


def _refused(number: int, step: str, error: BadInputError, model: str) -> dict[str, Any]:
    """One variant that cannot be had: the others are made all the same."""
    return {
        "type": "failure",
        "variant": number,
        "step": step,
        "reason": str(error).removeprefix(f"model {model!r}: "),
        "refused": str(error),
    }


class _Reporter:
    """Sends progress of the variant under way, not more often than anyone can read."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._last = 0.0
        self.variant = -1
        self.step = ""

    def __call__(self, step: str, done: float, total: int) -> None:
        now = time.monotonic()
        if step == self.step and now - self._last < _PROGRESS_INTERVAL:
            return
        self._last, self.step = now, step
        self._send(
            {"type": "progress", "variant": self.variant, "step": step, "done": done, "of": total}
        )


def _document(artifact: Artifact) -> dict[str, Any]:
    document = asdict(artifact)
    document["path"] = str(artifact.path)
    if artifact.evaluation is not None:
        document["evaluation"]["path"] = str(artifact.evaluation.path)
    return document


def _listen(put: Callable[[dict[str, Any]], None]) -> None:
    """The parent holds our stdin open for as long as it lives: we end with it."""
    for line in sys.stdin:
        put(json.loads(line))
    os._exit(1)


if __name__ == "__main__":
    main()
