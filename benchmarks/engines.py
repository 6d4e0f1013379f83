"""Which file runs where: every scheme and kind of layer, on the engines of phones and boards.

    python benchmarks/engines.py                          all engines: docs/engines.md anew
    python benchmarks/engines.py --engines litert,apk-arm64
    python benchmarks/engines.py --engines litert --check  does the page still hold?

A tiny network of each kind of layer is quantized and encoded as a recipe says, answers seeded noise
on each engine, and is held against the same file's reference answers, as a run holds them. What an
engine kills is asked twice. Cells of engines that are not asked stay as they are.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mobilebench.cache import cache_folder
from mobilebench.compress.probes import applied, file_steps, probe_file
from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.devices.base import TrialError
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import StepError, first_line
from mobilebench.quality.parity import differs, tolerance
from mobilebench.runs import answers
from mobilebench.runs.debug_samples import samples_for
from mobilebench.runs.references import reference
from mobilebench.tflite import file, interface, precision
from mobilebench_agent.contract import PROTOCOL_VERSION, Job
from parity import Desktop

_ROOT = Path(__file__).parents[1]
PAGE, CELLS = _ROOT / "docs" / "engines.md", Path(__file__).with_suffix(".json")
_MODELS = _ROOT / "tests" / "fixtures" / "models"
_TIMEOUT_SECONDS = 300.0

_PRUNED = "prune(0.95, pattern='1x16') → "
RECIPES = (
    "float16",
    "dynamic_int8",
    "dynamic_int4",
    "dynamic_int4(convolution_bits=8)",
    "dynamic_int4(block=32)",
    "weight_only_int8",
    "weight_only_int4",
    "weight_only_int4(convolution_bits=8)",
    "int8",
    "int8(weight_bits=4)",
    "int16x8",
    f"{_PRUNED}sparse",
    f"{_PRUNED}float16 → sparse",
    f"{_PRUNED}dynamic_int8 → sparse",
    f"{_PRUNED}weight_only_int8 → sparse",
    f"{_PRUNED}int8 → sparse",
)
#: Layers that one operator computes, and networks of several operators.
SINGLE = ("dense", "convolution", "depthwise", "transposed", "embedding")
SEVERAL = ("attention", "recurrent")

#: What became of a layer: ``right``, ``wrong``, ``refused``, ``dies``, ``not made``; and why.
Cell = tuple[str, str]
RIGHT: Cell = ("right", "")


@dataclass(frozen=True)
class Engine:
    """Where a file answers: behind an agent, with the delegate or without."""

    key: str
    name: str
    machine: Callable[[], LocalDevice]
    xnnpack: bool = True


def engines(old_python: str | None) -> tuple[Engine, ...]:
    """All engines; ``old_python`` is a Python 3.9 with tflite-runtime."""

    @functools.cache
    def machine(python: str | None = None) -> LocalDevice:
        return LocalDevice("this machine", python, cache_folder())

    @functools.cache
    def app(abi: str) -> LocalDevice:
        from app_build import places
        from app_build.desktop import desktop_command

        return Desktop(desktop_command(places.cache() / "desktop", abi))

    def board() -> LocalDevice:
        if old_python is None:
            sys.exit("tflite-runtime: --old-python names no Python 3.9 that has it")
        return machine(old_python)

    return (
        Engine("litert", "LiteRT, x86-64", machine),
        Engine("litert-plain", "LiteRT, x86-64, without XNNPACK", machine, xnnpack=False),
        Engine("apk-x86-64", "the app, x86-64", lambda: app("x86_64")),
        Engine("apk-arm64", "the app, Arm", lambda: app("arm64-v8a")),
        Engine("apk-arm64-plain", "the app, Arm, without XNNPACK", lambda: app("arm64-v8a"), False),
        Engine("board", "tflite-runtime, x86-64", board),
    )


class Asker:
    """Has engines answer files."""

    def __init__(self, scratch: Path) -> None:
        self._host = LocalDevice("this machine", None, cache_folder())
        self._scratch = scratch

    def ask(self, engine: Engine, content: bytes) -> list[Cell]:
        """A cell for each of the file's outputs; one for all where it does not run."""
        for last in (False, True):
            try:
                return self._answered(engine, content)
            except TrialError as error:
                if error.code not in ("agent_died", "app_crashed"):
                    return [("refused", error.reason)]
                if last:
                    return [("dies", error.reason)]
        raise AssertionError("it was asked twice")

    def _answered(self, engine: Engine, content: bytes) -> list[Cell]:
        content, samples = samples_for(content, "file", None, self._scratch)
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._scratch / f"{sha256}.tflite"
        path.write_bytes(content)
        taken = interface.read(content, "file")
        expected = reference(self._host, "engines", path, sha256, taken, samples, self._scratch)
        if expected.reason:
            return [("not made", f"no reference answers: {expected.reason}")]
        job = Job(
            PROTOCOL_VERSION,
            "engines",
            "latency",  # until the samples are sent
            str(path),
            sha256,
            xnnpack=engine.xnnpack,
        )
        evaluation = answers.Evaluation(taken, samples, expected)
        machine = engine.machine()
        found = answers.ask(machine, job, evaluation, lambda _: None, _TIMEOUT_SECONDS, 0).answers
        if not found.parity:
            return [("refused", found.parity_reason)]
        of_file = precision.read(content, "file")
        allowed = tolerance(of_file.arithmetic, "cpu")
        steps = (*of_file.steps, *[0.0] * len(found.parity))
        return [
            ("wrong", f"parity {output.snr_db:.0f} dB of at least {allowed.snr_db:g}")
            if differs(output, allowed, step=step)
            else RIGHT
            for output, step in zip(found.parity, steps, strict=False)
        ]


def made(recipe: Recipe, layers: Sequence[str]) -> bytes | str:
    """The file of a recipe for these layers, or why there is none."""
    if layers[0] in SINGLE:
        found = probe_file(recipe, layers)  # type: ignore[arg-type]
        return "the recipe makes nothing of it" if found is None else found.content
    content = (_MODELS / f"{layers[0]}.tflite").read_bytes()
    if "sparse" in recipe.text:
        content = _pruned(content)
    try:
        for step in file_steps(recipe):
            content = applied(step, content)
    except StepError as error:
        return str(error)
    except Exception as error:  # litert-quantizer has no error class of its own
        return f"litert-quantizer failed: {first_line(error)}"
    return content


def _pruned(content: bytes) -> bytes:
    """The file with 19 of 20 blocks of its matrices' weights at zero."""
    model, random = file.load(content), np.random.default_rng(0)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            buffer = model.buffers[tensor.buffer]
            if buffer.data is not None and tensor.type == 0 and len(tensor.shape) == 2:
                blocks = np.array(buffer.data).view(np.float32).reshape(-1, 16)
                blocks[random.random(len(blocks)) >= 0.05] = 0
                buffer.data = blocks.reshape(-1).view(np.uint8)
    return file.dump(model)


def cells(asker: Asker, engine: Engine, recipe: Recipe) -> Iterator[tuple[str, Cell]]:
    """What becomes of each layer; those of one operator are asked together as long as they run."""
    content = made(recipe, SINGLE)
    whole = asker.ask(engine, content) if isinstance(content, bytes) else []
    if len(whole) == len(SINGLE):
        yield from zip(SINGLE, whole, strict=True)
    for layer in SEVERAL if len(whole) == len(SINGLE) else (*SINGLE, *SEVERAL):
        content = made(recipe, (layer,))
        if isinstance(content, str):
            yield layer, ("not made", content)
        else:
            yield layer, asker.ask(engine, content)[0]


Table = dict[str, dict[str, dict[str, Cell]]]


def page(document: dict[str, object]) -> str:
    """The page of all that was found."""
    names, table = document["engines"], document["cells"]
    assert isinstance(names, dict)
    assert isinstance(table, dict)
    lines = [_HEAD, f"| recipe | {' | '.join(names.values())} |", "|---" * (1 + len(names)) + "|"]
    notes: dict[str, int] = {}
    for recipe, layers in table.items():
        row = [
            _summary({la: cells[key] for la, cells in layers.items() if key in cells}, notes)
            for key in names
        ]
        lines.append(f"| `{recipe}` | {' | '.join(row)} |")
    unmade = {
        f"`{recipe}`, {layer}: {cell[1]}": None
        for recipe, layers in table.items()
        for layer, found in layers.items()
        for cell in found.values()
        if cell[0] == "not made"
    }
    lines += ["", *(f"{number}. {reason}" for reason, number in notes.items())]
    lines += ["", "## What a recipe makes nothing of", "", *(f"- {reason}" for reason in unmade)]
    return "\n".join(lines) + "\n"


_HEAD = """# Which file runs where

Every quantizing and sparse scheme on the engines that phones and boards have: a tiny network of
each kind of layer (dense, convolution, depthwise, transposed, embedding, attention, recurrent)
answers seeded noise, and its answers are held against those of the same file on this machine's
plain kernels, within [parity's limits](quality.md). Written by `python benchmarks/engines.py`.

**right**: every layer is. **wrong**: it runs, and its answers are not the file's. **refused**: the
engine says that it cannot run it. **dies**: its process ends. The app's engine for Arm runs on an
emulated processor, which shows what it answers; no real phone has confirmed it. A run asks the same
of its own devices [before anything is trained](guide.md#what-a-device-can-run).
"""


def _summary(found: dict[str, Cell], notes: dict[str, int]) -> str:
    """A cell of the page: what is not right, by layer."""
    said = []
    for what in ("wrong", "refused", "dies"):
        layers: dict[str, list[str]] = {}
        for layer, cell in found.items():
            if cell[0] == what:
                layers.setdefault(cell[1], []).append(layer)
        for reason, alike in layers.items():
            number = notes.setdefault(reason, len(notes) + 1)
            said.append(f"**{what}**: {', '.join(alike)} ({number})")
    if said:
        return "; ".join(said)
    return "right" if any(cell[0] == "right" for cell in found.values()) else "—"


def main() -> None:
    """Asks the engines and writes the page, or says where the page no longer holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", help="keys, separated by commas; all if it is left out")
    parser.add_argument("--recipes", nargs="+", help="some recipes; all if it is left out")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where it differs")
    parser.add_argument("--old-python", default=os.environ.get("MOBILEBENCH_OLD_PYTHON"))
    arguments = parser.parse_args()
    sys.path.insert(0, str(_ROOT / "android_app" / "tools"))
    known = engines(arguments.old_python)
    keys = arguments.engines.split(",") if arguments.engines else [e.key for e in known]
    if unknown := set(keys) - {engine.key for engine in known}:
        sys.exit(f"no engine {', '.join(sorted(unknown))}: {', '.join(e.key for e in known)}")
    document = json.loads(CELLS.read_text("utf-8")) if CELLS.exists() else {}
    before: Table = document.get("cells", {})
    names: dict[str, str] = document.get("engines", {})
    table: Table = {}
    changed = []
    with tempfile.TemporaryDirectory() as scratch:
        asker = Asker(Path(scratch))
        for engine in (engine for engine in known if engine.key in keys):
            facts = engine.machine().probe()
            name = f"{engine.name} ({facts.library})"
            if names.setdefault(engine.key, name) != name:
                changed.append(f"{engine.key}: {names[engine.key]} → {name}")
            names[engine.key] = name
            for text in arguments.recipes or RECIPES:
                print(f"{engine.key}: {text}", file=sys.stderr, flush=True)
                for layer, cell in cells(asker, engine, parse_recipe(text)):
                    table.setdefault(text, {}).setdefault(layer, {})[engine.key] = cell
                    old = before.get(text, {}).get(layer, {}).get(engine.key, ["not asked"])
                    if old[0] != cell[0]:
                        changed.append(f"{engine.key}: {text}: {layer}: {old[0]} → {cell}")
    print("\n".join(changed))
    if arguments.check:
        sys.exit(1 if changed else 0)
    merged = {
        text: {
            layer: {
                engine.key: cell
                for engine in known
                if (
                    cell := (table.get(text, {}).get(layer, {}).get(engine.key))
                    or before.get(text, {}).get(layer, {}).get(engine.key)
                )
            }
            for layer in (*SINGLE, *SEVERAL)
        }
        for text in RECIPES
    }
    names = {engine.key: names[engine.key] for engine in known if engine.key in names}
    document = {"engines": names, "cells": merged}
    CELLS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    PAGE.write_text(page(document), "utf-8")


if __name__ == "__main__":
    main()
