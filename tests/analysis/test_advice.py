"""What to ship: never worse than the baseline, never stronger than the intervals."""

from dataclasses import replace

import pytest
from mobilebench.analysis.advice import advise
from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.analysis.summary import Comparison, Variant

MISSING = Estimate.missing("not measured")


def latency(times: list[float]) -> Estimate:
    return Estimate(sorted(times)[len(times) // 2], Interval(min(times), max(times)), len(times))


def variant(
    recipe: str, size: float, microseconds: float, accuracy_change: Estimate | None = None
) -> Variant:
    times = [1000 * microseconds * (1 + 0.001 * n) for n in range(6)]
    ratio = Estimate(BASE_SIZE / size, n=1)
    speed = BASE_TIME / microseconds
    even = abs(speed - 1) < 0.01
    return Variant(
        recipe=recipe,
        is_baseline=False,
        artifact="",
        failure="",
        estimates={
            "size": Estimate(size, n=1),
            "download": Estimate(size, n=1),
            "latency": latency(times),
            "accuracy": Estimate(0.9, Interval(0.88, 0.92), 1000),
        },
        changes={
            "size": ratio,
            "download": ratio,
            "latency": Estimate(speed, Interval(0.98, 1.02) if even else Interval(speed, speed), 6),
            "accuracy": accuracy_change or Estimate(0.0, Interval(-0.002, 0.002), 1000),
        },
        blocks={"latency": tuple(enumerate(times))},
        best_tradeoff=True,
    )


BASE_SIZE, BASE_TIME = 4000.0, 10.0
BASELINE = replace(
    variant("float16", BASE_SIZE, BASE_TIME),
    is_baseline=True,
    changes=dict.fromkeys(("size", "download", "latency", "accuracy"), MISSING),
)


def said(*variants: Variant) -> dict[str, str]:
    comparison = Comparison("m", "d", "cpu-1", False, "agent", "float16", (BASELINE, *variants))
    return {advice.topic: advice.text for advice in advise(comparison)}


@pytest.mark.parametrize(
    "worse", [variant("padded", 12_000, 25), variant("copy", 6_000, 10), variant("same", 4_000, 10)]
)
def test_what_gains_nothing_is_not_recommended(worse: Variant) -> None:
    advice = said(worse)
    assert advice["Ship"].startswith("Keep float16, the baseline")
    assert "Best trade-offs" not in advice
    assert advice["Smallest"].startswith("float16")


def test_of_a_baseline_alone_nothing_is_compared() -> None:
    assert said()["Ship"].startswith("The baseline is the only variant")


def test_a_smaller_file_that_is_slower_competes_with_the_baseline() -> None:
    advice = said(variant("dynamic_int8", 1_000, 28))
    assert "dynamic_int8 where size counts (4.00× smaller, 2.80× slower)" in advice["Ship"]
    assert "float16, the baseline, where latency counts" in advice["Ship"]


def test_the_best_in_both() -> None:
    small, large = variant("int8", 1_000, 4), variant("float8", 2_000, 6)
    assert said(small, large)["Ship"].startswith("int8: the smallest and, by median")
    assert said(small)["Ship"].startswith("int8: the only variant shown to stay within 1 point")


def test_a_single_larger_file_that_is_faster() -> None:
    text = said(variant("unrolled", 8_000, 2))["Ship"]
    assert text.startswith("float16, the baseline, where size counts; ")
    assert "unrolled where latency counts (2.00× larger, 5.00× the speed)" in text


def test_too_few_trials_are_said() -> None:
    small = variant("int8", 1_000, 12)
    few = {"latency": small.blocks["latency"][:3]}
    speed = {**small.changes, "latency": Estimate(0.83, None, 3, "3 trials")}
    text = said(replace(small, blocks=few, changes=speed))["Ship"]
    assert "Too few trials to tell their latencies apart" in text


def test_hardly_smaller_is_no_multiple() -> None:
    assert "nearly the same size as float16" in said(variant("copy", 3_999, 10))["Smallest"]


def test_a_faster_file_that_is_larger() -> None:
    text = said(variant("int8", 1_000, 9), variant("unrolled", 8_000, 2))["Ship"]
    assert "unrolled where latency counts (2.00× larger, 5.00× the speed)" in text


def test_an_open_loss_of_accuracy_is_not_recommended() -> None:
    loss = Estimate(-0.005, Interval(-0.02, 0.01), 1000)
    advice = said(variant("int8", 1_000, 4, accuracy_change=loss))
    assert advice["Ship"].startswith("No variant is shown to stay within")
    assert "int8" in advice["Undecided"]
