"""A search's bench without models or devices: what each recipe comes to is computed from it."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from mobilebench.compress.artifact import Artifact, Failure
from mobilebench.compress.recipe import Recipe
from mobilebench.compress.step import TrainingStep
from mobilebench.devices.base import TrialError
from mobilebench.errors import BadInputError
from mobilebench.search.candidate import Candidate, Measure
from mobilebench.search.ladder import Judged

#: Of the model as it is.
BASELINE = Candidate(
    "float32",
    "measured",
    values={"size": 1000.0, "download": 900.0, "latency": 100.0, "memory": 5000.0},
    quality=97.0,
    loss=0.0,
    error=0.0,
    sha256="float32",
    given=True,
)

_SIZES = {"float16": 0.5, "dynamic_int8": 0.26, "int8": 0.27, "dynamic_int4": 0.15,
          "weight_only_int8": 0.26, "sparse": 0.4}  # fmt: skip
_SPEEDS = {"dynamic_int8": 0.4, "int8": 0.3, "dynamic_int4": 0.45, "sparse": 0.3}


class RecordedBench:
    """Makes files of a formula, and counts what it was asked.

    Narrower networks are smaller and faster, and lose more; training brings a part of it back.
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self.asked: Counter[str] = Counter()
        self.recipes: dict[str, Recipe] = {}
        #: What each measured file was measured beside.
        self.beside: list[str] = []
        #: Raised when that many files were made.
        self.interrupt_after: int | None = None

    def make(self, recipe: Recipe) -> Artifact | Failure:
        if self.interrupt_after is not None and len(self.made) >= self.interrupt_after:
            self.interrupt_after = None
            raise KeyboardInterrupt
        self.made.append(recipe.text)
        if recipe.text == "weight_only_int8":
            return Failure("net", recipe.name, recipe.name, "nothing was quantized")
        if recipe.text == "float16":
            raise BadInputError("model 'net': recipe 'float16' is not for it")
        sha256 = hashlib.sha256(recipe.text.encode()).hexdigest()
        self.recipes[sha256] = recipe
        size = round(1000 * self._width(recipe) ** 2 * self._product(recipe, _SIZES))
        sizes = {"file": size, "gzip": round(0.9 * size)}
        return Artifact("net", recipe.name, sha256, Path(sha256), sizes)

    def judge(self, artifact: Artifact) -> Judged:
        self.asked["quality"] += 1
        recipe = self.recipes[artifact.sha256]
        if "cluster" in recipe.text:
            raise TrialError("agent_died", "the process ended without a result")
        lost = 20 * (1 - self._width(recipe)) ** 2 + (0.4 if "int4" in recipe.text else 0.1)
        epochs = sum(s.epochs for s in recipe.steps if isinstance(s, TrainingStep))
        loss = lost * (0.1 + 0.9 / (1 + epochs))
        return Judged(97.0 - loss, loss, 0.2)

    def measure(self, name: Measure, artifact: Artifact, best: Candidate | None = None) -> float:
        self.asked[name] += 1
        self.beside.append("" if best is None else best.recipe)
        recipe = self.recipes[artifact.sha256]
        return 100 * self._width(recipe) ** 2 * self._product(recipe, _SPEEDS)

    def _width(self, recipe: Recipe) -> float:
        narrow = [s for s in recipe.steps if s.name == "prune_channels"]
        share: float = getattr(narrow[0], "sparsity", 0.0) if narrow else 0.0
        student = any(s.name in ("student",) or s.name == "distill" for s in recipe.steps[:1])
        return (0.5 if student else 1.0) * (1 - share)

    def _product(self, recipe: Recipe, table: dict[str, float]) -> float:
        product = 1.0
        for step in recipe.steps:
            product *= table.get(step.name, 1.0)
        return product
