"""A search against the hand-written recipes and against random proposals of the same budget.

    python benchmarks/search.py [--models digits-teacher] [--budget 30] [--seeds 3]
    python benchmarks/search.py --minutes 60      no new search after that; again: goes on

Each is a search of its own with the same budget (minutes), limits and measurements: ``search``
begins with the hand-written recipes and goes on by TPE, ``hand-written`` ends with them,
``random`` draws from the same space. Each has a cache of its own, in which nothing but the trained
network is there already. What is shown comes from the run that confirms, on the half of the data
that no choice has seen: the hypervolume of size and latency as shares of the float32 file's (of
the confirmed that keep the limit of the loss there), and the chosen one, with the loss that it had
when it was chosen.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import MOBILEBENCH, Journal, heading
from frontier import write_data
from mobilebench import host
from mobilebench.models.spec import ModelSpec
from mobilebench.search.aim import Aim
from mobilebench.search.front import hypervolume
from mobilebench.search.space import read_space
from mobilebench.search.traits import traits_of

MODELS = ("digits-teacher", "resnet-8", "ds-cnn")
METHODS = ("search", "hand-written", "random")
#: So much worse than float32 a variant may be (points).
LOSS = 1.0


def main() -> None:
    """Runs what is missing, then prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--budget", type=float, default=30, help="minutes of each search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=6000, help="training images of resnet-8")
    parser.add_argument("--blocks", type=int, default=6, help="of the runs that confirm")
    parser.add_argument("--minutes", type=float, help="begin no search after that")
    parser.add_argument("--folder", type=Path, default=Path("results/benchmark-search"))
    arguments = parser.parse_args()
    heading("A search, hand-written recipes, random proposals", quiet=True)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"budget": arguments.budget, "samples": arguments.samples, "loss": LOSS,
                "cpu": host.facts()["cpu"], "blocks": arguments.blocks}  # fmt: skip
    journal = Journal(folder / "outcomes.jsonl", settings, "settings")
    done = {(line["model"], line["method"], line["seed"]) for line in journal.lines}
    until = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float("inf")
    for seed in range(arguments.seeds):
        for model in arguments.models:
            for method in METHODS:
                if (model, method, seed) in done or time.monotonic() > until:
                    continue
                print(f"{model}, {method}, seed {seed}", file=sys.stderr, flush=True)
                line = searched(model, method, seed, arguments, folder)
                journal.keep({"model": model, "method": method, "seed": seed, **line})
    show(journal.lines, arguments.models)


def searched(
    model: str, method: str, seed: int, arguments: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """What one search came to, on the data that it has not seen."""
    data = []
    if model == "resnet-8":
        data = ["--data", str(write_data(arguments.samples, folder)[0].resolve())]
    trained = folder / f"trained-{model}-{seed}"
    if not trained.exists():
        making = folder / "making"
        shutil.rmtree(making, ignore_errors=True)
        command = ["compress", f"zoo:{model}", "float32", *data, "--seed", str(seed)]
        run([*command, "--into", str(making / "files")], making)
        making.rename(trained)
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(trained, cache)
    command = ["search", f"zoo:{model}", *data, "--seed", str(seed), "--json"]
    command += ["--budget", f"{arguments.budget}m", "--max-quality-loss", str(LOSS)]
    command += ["--blocks", str(arguments.blocks), "--results", str(folder / "runs")]
    if method == "hand-written":
        command += ["--candidates", str(given(model))]
    if method == "random":
        space = folder / "without-start.toml"
        own = Path(sys.modules[read_space.__module__].__file__ or "").with_name("space.toml")
        space.write_text(own.read_text("utf-8").partition("[[start]]")[0], "utf-8")
        command += ["--sampler", "random", "--space", str(space)]
    document = json.loads(run(command, cache))
    shutil.rmtree(cache)
    return outcome(document)


def given(model: str) -> int:
    """How many hand-written recipes suit a model: a search tries them first."""
    spec = ModelSpec(name=model, source=f"zoo:{model}")
    return len(read_space(None).within(traits_of(spec, Aim(), 0)).start)


def run(command: list[str], cache: Path) -> str:
    """What a command prints; a search that found nothing to ship has found that."""
    environment = {**os.environ, "MOBILEBENCH_CACHE": str(cache.resolve())}
    done = subprocess.run(
        [MOBILEBENCH, *command], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode not in (0, 1):
        sys.exit(f"mobilebench {' '.join(command)}: exit code {done.returncode}")
    return done.stdout


def outcome(document: dict[str, Any]) -> dict[str, Any]:
    """A search's document as a line: its front's volume, and the chosen one."""
    base = document["baseline"]["values"]
    kept = [c for c in document["confirmed"] if c["loss"] is not None and c["loss"] <= LOSS]
    points = [
        tuple(c["values"][name] / base[name] for name in ("size", "latency"))
        for c in kept
        if {"size", "latency"} <= c["values"].keys()
    ]
    first = document["confirmed"][0] if document["chosen"] else None
    return {
        "candidates": len(document["candidates"]),
        "hypervolume": hypervolume(points, (1.0, 1.0)),
        "recipe": document["chosen"],
        "size": share_of(first, base, "size"),
        "latency": share_of(first, base, "latency"),
        "loss": first["loss"] if first else None,
        "holds": document["holds"],
        "optimism": document["optimism"],
        "seconds": document["seconds"],
    }


def share_of(confirmed: dict[str, Any] | None, base: dict[str, float], name: str) -> float | None:
    """What a confirmed candidate has of the baseline's; None: it was not measured."""
    own = confirmed["values"].get(name) if confirmed else None
    return None if own is None else own / base[name]


def show(lines: list[dict[str, Any]], models: tuple[str, ...]) -> None:
    """The table: a row a search."""
    print(
        "| model | | seed | candidates | hypervolume | chosen | size | latency | loss | optimism |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for model in models:
        for method in METHODS:
            for line in (x for x in lines if (x["model"], x["method"]) == (model, method)):
                print(f"| {model} | {method} | {line['seed']} | {line['candidates']} "
                      f"| {line['hypervolume']:.3f} | `{line['recipe']}` | {share(line['size'])} "
                      f"| {share(line['latency'])} | {number(line['loss'])}"
                      f"{'' if line['holds'] else ' (beyond the limit)'} "
                      f"| {number(line['optimism'])} |")  # fmt: skip


def share(value: float | None) -> str:
    """Of the float32 file's."""
    return "–" if value is None else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    """With two decimals."""
    return "–" if value is None else f"{value:+.2f}"


if __name__ == "__main__":
    main()
