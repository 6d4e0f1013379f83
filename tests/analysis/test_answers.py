"""What is made of answers: quality of any task, similarity to the baseline, parity."""

from dataclasses import replace

import numpy as np
import pytest
from mobilebench.analysis.rows import frame
from mobilebench.analysis.summary import Comparison, Summary, Variant
from mobilebench.quality.own import own
from mobilebench.quality.scoring import estimates
from mobilebench.report.tables.grid import comparison_grid

from tests.support.answered import Answered, compared, parity
from tests.support.two_variants import ARTIFACTS, BASE, SMALL

RANDOM = np.random.default_rng(4)
TRUE = RANDOM.normal(10, 3, (400, 1))


def regression(spread: float, small_spread: float, **changes: object) -> Comparison:
    """A model that is off by so much, and its variant."""
    base = TRUE + RANDOM.normal(0, spread, TRUE.shape)
    small = TRUE + RANDOM.normal(0, small_spread, TRUE.shape)
    return compared(
        [
            Answered(BASE, [base], "regression", TRUE),
            Answered(SMALL, [small], "regression", TRUE),
        ],
        **changes,
    )


def unlabelled(small: np.ndarray, base: np.ndarray = TRUE, **more: object) -> Comparison:
    """Answers to noise, without labels."""
    return compared([Answered(BASE, [base]), Answered(SMALL, [small], **more)])


def topics(comparison: Comparison) -> dict[str, str]:
    return {advice.topic: advice.text for advice in comparison.advice}


def codes(variant: Variant) -> list[str]:
    return [finding.code for finding in variant.findings]


def test_the_first_metric_of_a_task_is_what_a_model_is_compared_by() -> None:
    found = regression(1.0, 2.0)
    assert found.quality.name == "mae"
    base, small = found.variants
    assert base["mae"].value == pytest.approx(0.8, abs=0.1)
    assert small.changes["mae"].value == pytest.approx(0.8, abs=0.2)
    assert small.changes["mae"].interval is not None
    assert small.changes["mae"].interval.low > 0
    assert "less_accurate" in codes(small)
    (said,) = [f.text for f in small.findings if f.code == "less_accurate"]
    assert said.startswith("Worse in MAE than the baseline: +0.")
    assert small["accuracy"].value is None
    assert "regression" in small["accuracy"].reason


def test_a_larger_error_is_not_proposed_and_a_like_one_is() -> None:
    worse, alike = regression(1.0, 2.0), regression(1.0, 0.9)
    assert topics(worse)["Ship"].startswith("No variant is shown to stay within 5 % of the")
    assert not topics(alike)["Ship"].startswith("No variant")


def test_an_error_of_at_most_so_much_may_be_required() -> None:
    models = [{"name": "m", "baseline": BASE, "min_quality": 1.2}]
    found = regression(1.0, 2.0, models=models)
    assert [v.requirement for v in found.variants] == ["met", "missed"]
    assert (
        topics(found)["Requirement"] == "At most 1.2 MAE: shown for float32; not reached by int8."
    )
    (said,) = [f.text for f in found.variants[1].findings if f.code == "requirement_missed"]
    assert said.startswith("Worse in MAE than its requirement: 1.")
    assert said.endswith("at most 1.2 was asked for.")


def test_a_loss_of_quality_may_be_limited() -> None:
    models = [{"name": "m", "baseline": BASE, "max_quality_loss": 0.1}]
    found = regression(1.0, 2.0, models=models)
    assert [v.requirement for v in found.variants] == ["met", "missed"]
    (said,) = [f.text for f in found.variants[1].findings if f.code == "requirement_missed"]
    assert "against the baseline, at most 0.1 more was asked for" in said


def test_without_labels_similarity_is_what_there_is() -> None:
    small = TRUE + RANDOM.normal(0, 0.03, TRUE.shape)
    found = unlabelled(small)
    assert found.variants[1]["similarity"].value == pytest.approx(40, abs=1)
    assert found.variants[1]["similarity"].n == 400
    assert found.variants[1]["agreement"].value is None
    assert found.variants[0]["similarity"].reason == "the baseline itself"
    assert topics(found)["Ship"].startswith("Speed and size only:")
    assert "noise" in topics(found)["Answers"]
    assert "unlike" not in codes(found.variants[1])


def test_similarity_is_about_the_mean() -> None:
    """A constant that is added to everything makes no answer alike."""
    offset = 1000.0
    found = unlabelled(np.full_like(TRUE, offset + 10), TRUE + offset)
    assert found.variants[1]["similarity"].value == pytest.approx(0, abs=0.5)
    assert "unlike" in codes(found.variants[1])


def test_the_output_that_differs_most_counts() -> None:
    other = RANDOM.normal(0, 1, (400, 4))
    found = compared(
        [Answered(BASE, [TRUE, other]), Answered(SMALL, [TRUE, other[::-1]])],
    )
    assert found.variants[1]["similarity"].value < 5


def test_outputs_are_matched_by_their_names() -> None:
    other = RANDOM.normal(0, 1, (400, 1))

    def interface(*names: str) -> dict[str, object]:
        ends = [{"name": n, "shape": [1, 1], "dtype": "float32"} for n in names]
        return {"inputs": [], "outputs": ends}

    artifacts = [
        {**ARTIFACTS[0], "interface": interface("a", "b")},
        {**ARTIFACTS[1], "interface": interface("b", "a")},
    ]
    found = compared(
        [Answered(BASE, [TRUE, other]), Answered(SMALL, [other, TRUE])], artifacts=artifacts
    )
    assert found.variants[1]["similarity"].value == 150


def test_answers_to_other_samples_are_not_compared() -> None:
    found = unlabelled(TRUE, digest="e" * 64)
    assert found.variants[1]["similarity"].reason == "the baseline answered other samples"


def test_classes_agree_where_there_are_any() -> None:
    base = RANDOM.dirichlet(np.ones(5), 200)
    small = base.copy()
    small[:20] = small[:20, ::-1]
    agreement = unlabelled(small, base).variants[1]["agreement"]
    assert 0.9 <= agreement.value < 0.95


def test_what_is_not_its_file_is_shown_and_never_proposed() -> None:
    wrong = parity(3.2, largest_error=0.41, agreement=0.5, worst_sample=17)
    found = compared(
        [
            Answered(BASE, [TRUE], "regression", TRUE),
            Answered(SMALL, [TRUE], "regression", TRUE, parity=(parity(), wrong)),
        ]
    )
    base, small = found.variants
    assert not base.invalid
    for part in ("output 'scores'", "3.2 dB", "41.0 %", "sample 17 of 32", "50.0 %"):
        assert part in small.invalid
    assert codes(small)[0] == "answers_differ"
    assert small["latency"].value == 500_000
    assert small.changes["latency"].value is None
    assert small.changes["latency"].reason == small.invalid
    assert not small.best_tradeoff
    said = topics(found)
    assert f"INVALID: {SMALL}" in said["Answers"]
    assert not any(said[topic].startswith(SMALL) for topic in ("Ship", "Fastest", "Smallest"))
    assert "Left out as INVALID" in said["Ship"]


def test_a_baseline_that_is_not_its_file_is_nothing_to_compare_with() -> None:
    found = compared(
        [
            Answered(BASE, [TRUE], "regression", TRUE, parity=(parity(1.0),)),
            Answered(SMALL, [TRUE], "regression", TRUE),
        ]
    )
    assert found.variants[1].changes["latency"].reason.startswith("the baseline: its answers")
    assert topics(found)["Ship"].startswith("Nothing can be said: the baseline, float32,")


def test_a_table_has_the_metrics_of_its_tasks_alone() -> None:
    of_values = frame(Summary("r", "s", "finished", (regression(1.0, 1.0),)))
    of_noise = frame(Summary("r", "s", "finished", (unlabelled(TRUE),)))
    assert {"mae", "mae_low", "mae_change", "rmse", "r2", "parity_db"} <= set(of_values)
    assert "miou" not in of_values
    assert "similarity_db" in of_noise
    assert "mae" not in of_noise
    assert set(of_noise["answered_source"]) == {"noise"}
    assert "accuracy" in of_noise


def test_a_users_own_score_has_its_unit_and_margin() -> None:
    models = [{"name": "m", "baseline": BASE, "quality_unit": "px", "quality_margin": 0.5}]
    task = own(lambda outputs, labels: np.abs(outputs - labels).mean(axis=1), "loss")

    def answered(recipe: str, off: float) -> Answered:
        found = Answered(recipe, [TRUE + off])
        rows = task.reduce([TRUE + off], TRUE)
        found.arrays |= {f"reduced/{name}": array for name, array in rows.items()}
        assert found.trial.answers is not None
        answers = replace(found.trial.answers, task="own", scores=estimates(task, rows))
        found.trial = replace(found.trial, answers=answers)
        return found

    comparison = compared([answered(BASE, 1.0), answered(SMALL, 1.3)], models=models)
    assert comparison.quality.name == "loss"
    (column,) = [c for c in comparison_grid(comparison).columns if c.title == "Loss"]
    assert column.heading == "Loss (px)"
    assert comparison.requirement.margin() == "0.5"
