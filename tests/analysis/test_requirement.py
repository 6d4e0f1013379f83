"""The accuracy that a suite asks for: who is shown to have it, who is not, and what is said."""

import numpy as np
import pytest
from mobilebench.analysis.summarise import summarise
from mobilebench.analysis.summary import Comparison

from tests.support.two_variants import BASE, SMALL, a_run, accuracy, in_files, trial

LABELS = np.arange(1000) % 10


def answers(right: int) -> list[int]:
    """Predictions of which the first so many are right."""
    return [*LABELS[:right], *((LABELS[right:] + 1) % 10)]


def compared(base: int, small: int, **requirement: float) -> Comparison:
    """A model of which so many of 1,000 samples are right, and a smaller and faster one."""
    trials = [trial(recipe, block=block) for recipe in (BASE, SMALL) for block in range(1, 7)]
    samples = [(t.trial, np.full(10, 200_000 if t.recipe == BASE else 100_000)) for t in trials]
    evaluated = [
        accuracy(BASE, answers(base), LABELS),
        accuracy(SMALL, answers(small), LABELS),
    ]
    models = [{"name": "m", "baseline": BASE, **requirement}]
    summary = summarise(a_run(models=models), [*trials, *evaluated], in_files(samples))
    (comparison,) = summary.comparisons
    return comparison


def said(comparison: Comparison) -> dict[str, str]:
    return {advice.topic: advice.text for advice in comparison.advice}


@pytest.mark.parametrize(
    ("small", "status"), [(990, "met"), (975, "open"), (965, "open"), (930, "missed")]
)
def test_an_interval_decides_whether_a_requirement_is_met(small: int, status: str) -> None:
    found = compared(990, small, min_accuracy=0.97).variants[1]
    assert found.requirement == status
    sentences = [f.text for f in found.findings if "its requirement" in f.text]
    if status == "met":
        assert sentences == []
    else:
        (sentence,) = sentences
        lead = "Less accurate" if status == "missed" else "Perhaps less accurate"
        assert sentence.startswith(f"{lead} than its requirement: {small / 10:.1f} % [")
        assert "at least 97 % was asked for" in sentence


def test_what_misses_its_requirement_is_never_recommended() -> None:
    good, bad = (compared(990, right, min_accuracy=0.97) for right in (990, 930))
    assert said(good)["Ship"].startswith(f"{SMALL}: the only variant shown to have at least 97 %")
    assert said(good)["Requirement"] == f"At least 97 % accuracy: shown for {BASE} and {SMALL}."
    assert not bad.variants[1].best_tradeoff
    assert said(bad)["Ship"] == (
        "No variant is shown to have at least 97 % accuracy: keep the baseline. "
        "This holds for made-up 1.0."
    )
    assert said(bad)["Fastest"].endswith("Less accurate than its requirement.")
    assert f"not reached by {SMALL}" in said(bad)["Requirement"]


def test_a_low_requirement_permits_a_loss_that_is_otherwise_too_much() -> None:
    assert said(compared(990, 930))["Ship"].startswith("No variant is shown to stay within 1 point")
    assert said(compared(990, 930, min_accuracy=0.9))["Ship"].startswith(SMALL)


def test_a_baseline_that_is_too_inaccurate_is_not_kept() -> None:
    missed = said(compared(900, 900, min_accuracy=0.97))["Ship"]
    assert missed.startswith(
        "No variant is shown to have at least 97 % accuracy, the baseline included."
    )


@pytest.mark.parametrize(("small", "status"), [(989, "met"), (980, "open"), (930, "missed")])
def test_a_loss_is_judged_on_the_same_samples(small: int, status: str) -> None:
    found = compared(990, small, max_accuracy_loss=0.01)
    assert found.variants[0].requirement == "met"
    assert found.variants[1].requirement == status
    told = [f.text for f in found.variants[1].findings if "accurate than" in f.text]
    if status == "missed":
        assert told[0].startswith("Less accurate than its requirement: −6.0 points [")
        assert "at most 1 point less was asked for" in told[0]
    assert len(told) == (status != "met")


def test_without_an_accuracy_nothing_is_claimed() -> None:
    trials = [trial(recipe) for recipe in (BASE, SMALL)]
    models = [{"name": "m", "baseline": BASE, "min_accuracy": 0.9}]
    (found,) = summarise(a_run(models=models), trials, in_files([])).comparisons
    assert [v.requirement for v in found.variants] == ["unknown", "unknown"]
    assert not any("requirement" in f.text for v in found.variants for f in v.findings)
