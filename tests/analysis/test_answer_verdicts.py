"""What a gate says of answers: by quality, or by similarity, or that nothing can be said."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.analysis import verdicts
from mobilebench.analysis.gate_finding import Finding
from mobilebench.records.gate import Gate, Look, Pair
from mobilebench.report.exports import gate as gate_outputs
from mobilebench.report.page.verdict_head import head
from mobilebench.runs.verdict import GateResult, document, headline
from mobilebench.suite.policy import Policy, validate

from tests.support.answered import Answered, load, parity
from tests.support.two_variants import BASE, SMALL, a_run

RANDOM = np.random.default_rng(8)
TRUE = RANDOM.normal(10, 3, (400, 1))
PAIR = Pair("m", "phone", "cpu", BASE, SMALL)
NO_TIMES = {n: {"enabled": False} for n in ("latency", "memory", "energy", "download", "size")}
SIZES = {"size": {"enabled": True, "margin": 0.1}}


def noisy(spread: float) -> np.ndarray:
    return TRUE + RANDOM.normal(0, spread, TRUE.shape)


def judged(
    answered: list[Answered], policy: Mapping[str, Any] = {}, of_one_model: bool = False
) -> GateResult:
    rules = validate({**NO_TIMES, **policy}, "a test's policy")
    gate = Gate(policy=rules.document(), looks=(Look(6, 0.05),), pairs=(PAIR,))
    comparisons = verdicts.judge(
        a_run(),
        gate,
        [a.trial for a in answered],
        {},
        rules,
        load(answered),
        lambda _: of_one_model,
    )
    return GateResult("r", Path("r"), comparisons, gate.looks, speed_only=rules.is_speed_only)


def of(result: GateResult) -> dict[str, Finding]:
    (comparison,) = result.comparisons
    return {finding.metric: finding for finding in comparison.findings}


@pytest.mark.parametrize(
    ("spread", "of_one_model", "verdict"),
    [
        (0.03, False, "PASS"),
        (0.03, True, "PASS"),
        (0.6, True, "INCONCLUSIVE"),
        (6.0, True, "FAIL"),
        (6.0, False, "INCONCLUSIVE"),
    ],
)
def test_without_labels_similarity_decides(spread: float, of_one_model: bool, verdict: str) -> None:
    result = judged([Answered(BASE, [TRUE]), Answered(SMALL, [noisy(spread)])], {}, of_one_model)
    found = of(result)
    assert found["similarity"].verdict == verdict
    assert result.verdict == verdict
    if verdict == "INCONCLUSIVE":
        assert "labelled data" in found["similarity"].reason
        assert "--speed-only" in headline(result)
    assert found["parity"].verdict == "PASS"


def test_the_policy_has_the_limits() -> None:
    both = [Answered(BASE, [TRUE]), Answered(SMALL, [noisy(0.6)])]
    assert judged(both, {"answers": {"pass_db": 12}}, True).verdict == "PASS"
    strict = {"answers": {"pass_db": 60, "fail_db": 40}}
    assert judged(both, strict, True).verdict == "FAIL"
    with pytest.raises(Exception, match="fail_db is at most pass_db"):
        judged(both, {"answers": {"pass_db": 5}})


def test_labels_say_more_than_similarity() -> None:
    """Answers that differ and are as good pass; answers that are alike and worse fail."""
    differing = [
        Answered(BASE, [noisy(3.0)], "regression", TRUE),
        Answered(SMALL, [noisy(1.0)], "regression", TRUE),
    ]
    result = judged(differing)
    assert "similarity" not in of(result)
    assert of(result)["mae"].verdict == "PASS"
    base = noisy(1.0)
    worse = judged(
        [
            Answered(BASE, [base], "regression", TRUE),
            Answered(SMALL, [TRUE + 1.2 * (base - TRUE)], "regression", TRUE),
        ]
    )
    found = of(worse)
    assert found["mae"].verdict == "FAIL"
    assert found["mae"].effect.value == pytest.approx(0.2)
    assert found["mae"].margin == 0.05
    assert headline(worse).startswith("FAIL: mae +20.0 %")


def test_scores_of_other_tasks_have_no_line() -> None:
    found = of(
        judged(
            [
                Answered(BASE, [noisy(1.0)], "regression", TRUE),
                Answered(SMALL, [noisy(1.0)], "regression", TRUE),
            ]
        )
    )
    assert {"mae", "rmse", "r2"} <= set(found)
    assert not {"miou", "accuracy", "wer"} & set(found)


@pytest.mark.parametrize("side", [BASE, SMALL])
def test_a_side_that_is_not_its_file_makes_it_invalid(side: str) -> None:
    both = [
        Answered(recipe, [TRUE], parity=(parity(2.0 if recipe == side else 90.0),))
        for recipe in (BASE, SMALL)
    ]
    result = judged(both)
    assert result.verdict == "INVALID"
    assert ("baseline" if side == BASE else "candidate") in of(result)["parity"].reason
    assert judged(both, {"answers": {"parity_db": 1.0}}).verdict == "PASS"


def test_failed_outputs_trials_are_invalid() -> None:
    from dataclasses import replace

    both = [Answered(BASE, [TRUE]), Answered(SMALL, [TRUE])]
    both[1].trial = replace(
        both[1].trial, state="failed", code="output_nan", reason="sample 3", answers=None
    )
    result = judged(both)
    assert result.verdict == "INVALID"
    assert "output_nan: sample 3" in headline(result)


def test_speed_only_is_said_in_every_output() -> None:
    both = [Answered(BASE, [TRUE]), Answered(SMALL, [noisy(6.0)])]
    result = judged(both, {"answers": {"enabled": False}, **SIZES})
    assert result.speed_only
    assert not {"similarity", "parity", "mae"} & set(of(result))
    assert result.verdict == "PASS"
    assert headline(result).startswith("PASS (speed and size only)")
    assert document(result)["speed_only"] is True
    said = (
        gate_outputs.summary(result),
        gate_outputs.junit(result),
        gate_outputs.github(result),
        head(result, {}).sentence,
        result._repr_html_(),
    )
    for text in said:
        assert "peed and size only" in text
    assert Policy().speed_only().is_speed_only
    assert not Policy().speed_only()["accuracy"].enabled
