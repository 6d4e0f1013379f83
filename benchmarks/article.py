"""The article's pipeline beside ours: distil a student, prune it, retrain it; over several seeds.

    python benchmarks/article.py [--seeds 1 2 3 4 5]
    python benchmarks/article.py --minutes 5      begins no seed after so long; again: goes on

The article trains Dense(128) → Dense(10) and Dense(64) → Dense(10) on MNIST, five epochs each,
and reports test accuracy 0.9750 after distillation and 0.9500 after pruning and retraining; it
names no seed, no sparsity and no size. Ours runs ``suites/article.toml`` on the shipped subset
(8,000 training and 2,000 test digits) and is evaluated by the agent, on the .tflite file, as every
accuracy of ours is.

A seed is one training of everything, teacher included. Means have Student's 95 % intervals over
seeds; differences are taken within each seed, and their p-values are exact: of all ways to flip
the signs of the differences, the share that is at least as far from zero.

Each file's accuracy is a line of ``outcomes.jsonl`` in ``--folder`` as soon as it is known.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import Journal, accuracy, heading
from mobilebench.cache import cache_folder
from mobilebench.cli.terminal import RunDisplay
from mobilebench.compress.pipeline.cache import key_of, versions_of
from mobilebench.compress.recipe import Recipe
from mobilebench.compress.service import compress_variants
from mobilebench.compress.step import TrainingStep
from mobilebench.devices.local.device import LocalDevice
from mobilebench.runs.samples import Samples
from mobilebench.suite.schema import Suite, read_suite, validate
from rich.console import Console
from scipy import stats

SUITE = Path(__file__).parents[1] / "suites" / "article.toml"

#: What the article reports, by the steps of the recipe, each of which trains.
PUBLISHED = {("distill",): 0.9750, ("distill", "prune"): 0.9500}


def one_seed(suite: Suite, seed: int, device: LocalDevice) -> list[dict[str, Any]]:
    """Every recipe of the suite with one seed."""
    with RunDisplay(Console(stderr=True)) as display:
        outcome = compress_variants(
            suite.variants(), seed=seed, cache=cache_folder(), on_progress=display.compressing
        )
    for failure in outcome.failures:
        print(f"seed {seed}: {failure.recipe}: {failure.reason}")
    found = []
    for artifact in outcome.artifacts:
        evaluation = artifact.evaluation
        assert evaluation is not None
        zeros = [step["zeros"] for step in artifact.provenance["steps"] if "zeros" in step]
        found.append(
            {
                "seed": seed,
                "recipe": artifact.provenance["recipe"],
                "accuracy": accuracy(
                    device,
                    artifact.path,
                    artifact.sha256,
                    Samples(evaluation.path, evaluation.sha256, evaluation.count, "data"),
                ),
                "zeros": zeros[-1] if zeros else None,
                "bytes": artifact.bytes,
                "gzip": artifact.sizes["gzip"],
            }
        )
    return found


class Outcomes(Journal):
    """The accuracy of each trained file."""

    def __init__(self, path: Path) -> None:
        """Reads the file, if there is one; it must have been made by this code."""
        packages = versions_of("tensorflow", "keras", "litert-quantizer", "ai-edge-litert")
        super().__init__(path, {"code": key_of({"versions": packages})}, "code or versions")

    def add(self, outcome: dict[str, Any]) -> None:
        """Keeps one more."""
        if self.by_seed(outcome["recipe"]).get(outcome["seed"]) is None:
            self.keep(outcome)

    def by_seed(self, recipe: str) -> dict[int, dict[str, Any]]:
        """The outcomes of one recipe."""
        return {o["seed"]: o for o in self.lines if o["recipe"] == recipe}


def half_width(values: Sequence[float]) -> float:
    """Of Student's 95 % interval of the mean; nan for a single value."""
    if len(values) < 2:
        return math.nan
    quantile = float(stats.t.ppf(0.975, len(values) - 1))
    return quantile * statistics.stdev(values) / math.sqrt(len(values))


def sign_flip(differences: Sequence[float]) -> float:
    """The exact two-sided p-value of a mean of zero."""
    if not np.any(differences):
        return 1.0
    found = stats.permutation_test(
        (np.asarray(differences),), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    return float(found.pvalue)


def reference(recipe: Recipe, recipes: Sequence[Recipe]) -> Recipe | None:
    """What a stage is compared with: what it is without a teacher, or without its last steps."""
    texts = {other.text: other for other in recipes}
    steps = recipe.text.split(" → ")
    if steps[0].startswith("distill"):
        alone = " → ".join(["student", *steps[1:]])
        if alone in texts:
            return texts[alone]
        return texts.get(steps[0])
    return None


def published(recipe: Recipe) -> float | None:
    """What the article reports of such a chain, in which every step trains."""
    trains = [isinstance(step, TrainingStep) and step.epochs > 0 for step in recipe.steps]
    return PUBLISHED.get(tuple(step.name for step in recipe.steps)) if all(trains) else None


def show(recipes: Sequence[Recipe], outcomes: Outcomes, seeds: Sequence[int]) -> None:
    """A row a stage, and a row a comparison."""
    head = ("article", "mean, 95 % interval", "lowest", "highest", "zeros", "bytes", "gzip")
    print("{:<40}{:>8}{:>22}{:>8}{:>8}{:>7}{:>9}{:>9}".format("stage", *head))
    values: dict[str, dict[int, float]] = {}
    for recipe in recipes:
        found = {s: o for s, o in outcomes.by_seed(recipe.text).items() if s in seeds}
        if not found:
            continue
        of_seed = values[recipe.text] = {s: o["accuracy"] for s, o in found.items()}
        all_of_them = list(of_seed.values())
        last = found[max(found)]
        reported = published(recipe)
        mean = f"{statistics.mean(all_of_them):.4f} ± {half_width(all_of_them):.4f}"
        print(
            f"{recipe.name:<40}{f'{reported:.4f}' if reported else '—':>8}{mean:>22}"
            f"{min(all_of_them):8.4f}{max(all_of_them):8.4f}"
            f"{'—' if last['zeros'] is None else format(last['zeros'], '.0%'):>7}"
            f"{last['bytes']:9,}{last['gzip']:9,}"
        )
    print("\ndifferences within each seed, in points, with 95 % intervals")
    for recipe in recipes:
        other = reference(recipe, recipes)
        if other is None or not {recipe.text, other.text} <= values.keys():
            continue
        both = sorted(values[recipe.text].keys() & values[other.text].keys())
        differences = [100 * (values[recipe.text][s] - values[other.text][s]) for s in both]
        print(
            f"{recipe.name:<40} − {other.name:<34}"
            f"{statistics.mean(differences):+6.2f} ± {half_width(differences):.2f}"
            f"   p = {sign_flip(differences):.4f}"
        )
    print(f"(the smallest p that {len(seeds)} seeds can give is {2 / 2 ** len(seeds):.4f})")


def main() -> None:
    """Prints a row a stage: accuracy over the seeds, sparsity reached, file sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no seed after so long"
    )
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/article"))
    arguments = parser.parse_args()
    heading("The article's pipeline on the shipped digits")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    suite = validate(read_suite(SUITE), str(SUITE), SUITE.parent)
    recipes = [recipe for _, recipe in suite.variants()]
    outcomes = Outcomes(arguments.folder / "outcomes.jsonl")
    device = LocalDevice("local", None, cache_folder())
    end = time.monotonic() + 60 * arguments.minutes
    for seed in arguments.seeds:
        if all(seed in outcomes.by_seed(recipe.text) for recipe in recipes):
            continue
        if time.monotonic() > end:
            print("seeds are left: run the same command again")
            break
        for outcome in one_seed(suite, seed, device):
            outcomes.add(outcome)
    print(f"2,000 test digits: standard error 0.004; seeds {arguments.seeds}\n")
    show(recipes, outcomes, arguments.seeds)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted: what has ended is kept; the same command goes on")
