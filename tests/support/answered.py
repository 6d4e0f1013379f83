"""Trials of one model in two variants whose answers a test makes up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mobilebench.analysis.summarise import summarise
from mobilebench.analysis.summary import Comparison
from mobilebench.models.array import Array
from mobilebench.quality.scoring import estimates
from mobilebench.quality.tasks import TASKS
from mobilebench.records.answers import Answers, OutputParity
from mobilebench.records.trial import Trial

from tests.support.two_variants import BASE, SMALL, a_run, in_files, trial

DIGEST = "d" * 64


def parity(snr_db: float = 98.0, **more: Any) -> OutputParity:
    """Of one output."""
    found = {"largest_error": 1e-6, "agreement": None, "worst_sample": 7, **more}
    return OutputParity("scores", snr_db, **found)


class Answered:
    """One variant's outputs trial, and what was kept of its answers.

    Args:
        recipe: of the variant.
        outputs: of all samples, by position.
        task: by which they are scored against ``labels``; empty: they are not.
        labels: of all samples.
        more: of ``Answers``.
    """

    def __init__(
        self,
        recipe: str,
        outputs: list[Array],
        task: str = "",
        labels: Array | None = None,
        **more: Any,
    ) -> None:
        self.arrays: dict[str, Array] = {f"output/{i}": array for i, array in enumerate(outputs)}
        scores = ()
        if task and labels is not None:
            fitted = TASKS[task].fitted(labels, outputs, [])
            rows = fitted.reduce(outputs, labels)
            scores = estimates(fitted, rows)
            self.arrays |= {f"reduced/{name}": array for name, array in rows.items()}
        found = {"source": "data" if task else "noise", "digest": DIGEST, "parity": (parity(),),
                 "parity_samples": 32, **more}  # fmt: skip
        answers = Answers(samples=len(outputs[0]), task=task, scores=scores, **found)
        self.trial = trial(recipe, "outputs", answers=answers)


def load(answered: list[Answered]) -> Any:
    """Gives what was kept of an attempt's answers."""
    kept: Mapping[str, dict[str, Array]] = {a.trial.attempt_name: a.arrays for a in answered}
    return lambda name: kept.get(name, {})


def compared(answered: list[Answered], faster: float = 2.0, **changes: Any) -> Comparison:
    """The comparison of both variants, of which the second is smaller and so much faster."""
    trials: list[Trial] = [
        trial(recipe, block=block) for recipe in (BASE, SMALL) for block in range(1, 7)
    ]
    ns = {BASE: 1_000_000.0, SMALL: 1_000_000 / faster}
    samples = [(t.trial, np.full(10, ns[t.recipe], dtype=np.int64)) for t in trials]
    summary = summarise(
        a_run(**changes), [*trials, *(a.trial for a in answered)], in_files(samples), load(answered)
    )
    (comparison,) = summary.comparisons
    return comparison
