"""The gate's tests: exact error rates by enumeration, invariances, textbook cases."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.analysis import gating, verdicts
from mobilebench.analysis.gating import Decision, Look, Series, Verdict, decide, holm, sign_flip_p
from mobilebench.analysis.measures import Evidence
from mobilebench.analysis.trial import describe
from mobilebench.metrics import registry
from mobilebench.records.trial import Trial
from scipy import stats

SIX_AND_TWELVE = (Look(6, 0.02), Look(12, 0.03))

magnitudes = st.lists(st.floats(0.001, 10), min_size=3, max_size=9)
differences = st.lists(st.floats(-1, 1).filter(lambda x: abs(x) > 1e-6), min_size=2, max_size=14)


def one(worse: list[float], margin: float = 0.03) -> Decision:
    return decide([Series(tuple(worse), margin)], SIX_AND_TWELVE)[0]


# Exactness.


@given(magnitudes, st.sampled_from([0.01, 0.02, 0.03, 0.05, 0.2]))
def test_of_all_sign_patterns_no_more_than_alpha_reject(sizes: list[float], alpha: float) -> None:
    patterns = list(itertools.product([1, -1], repeat=len(sizes)))
    p = [sign_flip_p([s * m for s, m in zip(p, sizes, strict=True)]) for p in patterns]
    assert np.mean([value <= alpha for value in p]) <= alpha
    # And p is the share itself: as exact as a discrete test can be.
    assert min(p) == pytest.approx(0.5 ** len(sizes))


def test_both_looks_together_reject_at_most_five_percent_of_all_patterns() -> None:
    sizes = np.random.default_rng(3).gamma(1.0, 0.02, 12)
    allowed = math.log1p(0.03)
    patterns = np.array(list(itertools.product([1, -1], repeat=12)))
    verdicts = [one(list(signs * sizes + allowed)).verdict for signs in patterns]
    wrong = np.mean([v == Verdict.FAIL for v in verdicts])
    assert 0.02 < wrong <= 0.05
    # At the margin itself, PASS is as wrong as FAIL, and as rare.
    assert np.mean([v == Verdict.PASS for v in verdicts]) == wrong


def test_holm_keeps_a_family_of_equals_at_alpha() -> None:
    rng = np.random.default_rng(5)
    family = 4
    looks = gating.plan_looks(family)
    wrong = 0
    for _ in range(600):
        noise = rng.normal(0, 0.02, (family, looks[1].blocks)) + math.log1p(0.03)
        found = decide([Series(tuple(row), 0.03) for row in noise], looks)
        wrong += any(d.verdict == Verdict.FAIL for d in found)
    assert stats.binomtest(wrong, 600, 0.05, "greater").pvalue > 0.001


# Textbook.


@given(differences)
def test_without_ties_it_is_wilcoxons_test(x: list[float]) -> None:
    sizes = np.sort(np.abs(x))
    if np.any(np.diff(sizes) < 1e-9):
        return
    expected = stats.wilcoxon(x, alternative="greater", method="exact").pvalue
    assert sign_flip_p(x) == pytest.approx(expected)


def test_with_ties_it_is_the_permutation_test_of_signed_ranks() -> None:
    x = np.array([1.0, 1.0, -1.0, 2.0, 2.0, -3.0, 3.0, 4.0])

    def statistic(values: np.ndarray, axis: int = -1) -> np.ndarray:
        ranks = stats.rankdata(np.abs(values), axis=axis)
        return np.sum(np.sign(values) * ranks, axis=axis)

    expected = stats.permutation_test(
        (x,), statistic, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    ).pvalue
    assert sign_flip_p(x) == pytest.approx(expected)


def test_darwins_maize() -> None:
    # Heights of crossed less self-fertilised plants, eighths of an inch (Fisher, The Design of
    # Experiments, 1935, section 17): Wilcoxon's W+ is 96 of 120, one-sided p 0.0206.
    x = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sign_flip_p(x) == pytest.approx(0.0206, abs=5e-5)


@pytest.mark.parametrize(("x", "p"), [([], 1.0), ([0.0, 0.0], 1.0), ([1.0], 0.5), ([-1.0], 1.0)])
def test_almost_nothing(x: list[float], p: float) -> None:
    assert sign_flip_p(x) == p


def test_holms_own_example() -> None:
    # Adjusted: 4 x 0.005, 3 x 0.01, then never less than the one before.
    assert holm([0.03, 0.005, 0.01, 0.04]) == pytest.approx((0.06, 0.02, 0.03, 0.06))
    assert holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_makes_a_p_smaller_nor_changes_their_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    assert all(
        adjusted[i] <= adjusted[j] for i in range(len(p)) for j in range(len(p)) if p[i] <= p[j]
    )


def test_the_first_look_is_where_one_metric_can_fail() -> None:
    assert [gating.plan_looks(k)[0].blocks for k in (1, 2, 20, 50)] == [6, 7, 10, 12]
    for k in range(1, 60):
        first, second = gating.plan_looks(k)
        assert 0.5**first.blocks <= first.alpha / k
        assert second.blocks == 2 * first.blocks
        assert first.alpha + second.alpha == pytest.approx(0.05)
    assert gating.plan_looks(1, first=9) == (Look(9, 0.02), Look(18, 0.03))


# Invariance.


@given(differences, st.floats(1e-3, 1e3), st.randoms(use_true_random=False))
def test_neither_scale_nor_order_of_blocks_matters(
    x: list[float], scale: float, shuffle: random.Random
) -> None:
    rounded = [round(value, 4) or 0.5 for value in x]
    shuffled = list(rounded)
    shuffle.shuffle(shuffled)
    assert sign_flip_p(shuffled) == sign_flip_p(rounded)
    sizes = np.sort(np.abs(rounded))
    if not np.any((np.diff(sizes) > 0) & (np.diff(sizes) < 1e-5)):
        assert sign_flip_p([scale * value for value in rounded]) == sign_flip_p(rounded)


@given(st.lists(st.floats(-0.2, 0.2), min_size=12, max_size=12), st.floats(0.1, 1e9))
def test_units_of_the_trials_do_not_matter(worse: list[float], unit: float) -> None:
    base = np.linspace(1, 2, 12)
    candidate = base * np.exp(worse)
    before = one(list(np.log(candidate / base)))
    after = one(list(np.log((candidate * unit) / (base * unit))))
    assert before.verdict == after.verdict


def _trial(recipe: str, block: int) -> Trial:
    name = f"{recipe}-{block}"
    return Trial(name, "latency", block, "d", "m", recipe, "r", recipe, "valid", "", 1.0, samples=1)


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_two_within_a_block_does_not_matter(
    blocks: list[tuple[int, int]], shuffle: random.Random
) -> None:
    recipes = ("baseline", "candidate")
    statistics = {
        f"{recipe}-{number}": describe(np.array([value]))
        for number, block in enumerate(blocks)
        for recipe, value in zip(recipes, block, strict=True)
    }
    # Each block in either order, and blocks in any: what ran first is not in the numbers.
    ran = [_trial(recipe, number) for number in range(len(blocks)) for recipe in recipes]
    shuffle.shuffle(ran)
    base, candidate = (
        Evidence([t for t in ran if t.recipe == recipe], statistics) for recipe in recipes
    )
    latency = registry()["latency"]
    found = verdicts.block_pairs(latency, (base, candidate))
    assert found == blocks
    swapped = verdicts.block_pairs(latency, (candidate, base))
    for one_way, other in zip(
        verdicts.logarithms(found), verdicts.logarithms(swapped), strict=True
    ):
        assert one_way == pytest.approx(-other, abs=1e-12)


# Monotony.


@given(
    st.lists(st.floats(-0.2, 0.2), min_size=12, max_size=12, unique_by=lambda x: round(x, 6)),
    st.floats(0.0001, 0.3),
)
@settings(max_examples=300)
def test_a_slower_candidate_never_gets_a_kinder_verdict(worse: list[float], more: float) -> None:
    slower = [value + more for value in worse]
    allowed = math.log1p(0.03)
    if any(_tied(np.array(x) - allowed) for x in (worse, slower, worse[:6], slower[:6])):
        return
    kindest = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]
    assert kindest.index(one(slower).verdict) >= kindest.index(one(worse).verdict)


@given(
    st.lists(st.floats(-0.2, 0.2), min_size=12, max_size=12, unique_by=lambda x: round(x, 6)),
    st.integers(0, 11),
    st.floats(0.001, 0.3),
)
@settings(max_examples=300)
def test_a_slower_trial_never_makes_a_look_kinder(
    worse: list[float], block: int, more: float
) -> None:
    beyond = np.array(worse) - math.log1p(0.03)
    slower = beyond.copy()
    slower[block] += more
    for x, y in ((beyond, slower), (-slower, -beyond)):
        if not (_tied(x) or _tied(y)):
            assert sign_flip_p(y) <= sign_flip_p(x) + 1e-12


def _tied(x: np.ndarray) -> bool:
    sizes = np.sort(np.abs(x))
    return bool(np.any(np.diff(sizes) < 1e-9) or np.any(sizes < 1e-9))


@given(st.lists(st.floats(-0.1, 0.1), min_size=12, max_size=12), st.floats(0, 0.1))
def test_a_wider_margin_never_makes_fail_of_what_was_none(worse: list[float], more: float) -> None:
    if _tied(np.array(worse) - math.log1p(0.03)) or _tied(
        np.array(worse) - math.log1p(0.03 + more)
    ):
        return
    narrow, wide = (sign_flip_p(Series(tuple(worse), m).beyond(12)) for m in (0.03, 0.03 + more))
    assert wide >= narrow - 1e-12


# Verdicts.


def test_plain_cases() -> None:
    jitter = [0.001 * i for i in range(12)]
    assert one([0.0 + j / 10 for j in jitter]) == Decision(Verdict.PASS, 1.0, 1 / 64, 6)
    assert one([0.08 + j / 10 for j in jitter]).verdict == Verdict.FAIL
    assert one([0.02, 0.04] * 6).verdict == Verdict.INCONCLUSIVE
    assert one([-0.5] * 6).verdict == Verdict.PASS


def test_the_second_look_decides_what_the_first_does_not() -> None:
    worse = [0.08, 0.01, 0.08, 0.08, 0.08, 0.08, *[0.09] * 6]
    assert one(worse[:6]).verdict == Verdict.INCONCLUSIVE
    found = one(worse)
    assert (found.verdict, found.blocks) == (Verdict.FAIL, 12)


def test_a_verdict_of_the_first_look_stays() -> None:
    found = one([*[0.0] * 6, *[0.5] * 6])
    assert (found.verdict, found.blocks) == (Verdict.PASS, 6)


def test_too_few_blocks_say_nothing() -> None:
    assert one([0.5] * 5) == Decision()
    assert decide([], SIX_AND_TWELVE) == ()


def test_noise_cannot_pass() -> None:
    rng = np.random.default_rng(11)
    verdicts = [one(list(rng.normal(math.log1p(0.03), 0.2, 12))).verdict for _ in range(500)]
    wrong = sum(v == Verdict.PASS for v in verdicts)
    assert stats.binomtest(wrong, 500, 0.05, "greater").pvalue > 0.001
    assert verdicts.count(Verdict.INCONCLUSIVE) > 400


@pytest.mark.parametrize(("slowdown", "verdict"), [(0.0, "PASS"), (0.08, "FAIL")])
def test_a_quiet_device_is_decided(slowdown: float, verdict: str) -> None:
    rng = np.random.default_rng(13)
    found = [one(list(rng.normal(math.log1p(slowdown), 0.017, 12))).verdict for _ in range(200)]
    assert found.count(Verdict(verdict)) >= 180


def test_worst() -> None:
    assert gating.worst([]) == Verdict.INCONCLUSIVE
    assert gating.worst([Verdict.PASS, Verdict.INVALID, Verdict.INCONCLUSIVE]) == Verdict.INVALID
    assert gating.worst([Verdict.FAIL, Verdict.INVALID]) == Verdict.FAIL


# Noise.


def test_noise_is_the_standard_deviation_of_normal_noise_and_ignores_spikes() -> None:
    rng = np.random.default_rng(17)
    d = rng.normal(0, 0.02, 4000)
    assert gating.noise(d) == pytest.approx(0.02, rel=0.06)
    d[:200] += 5
    assert gating.noise(d) == pytest.approx(0.02, rel=0.12)
    with pytest.raises(ValueError, match="at least one"):
        gating.noise([])


def test_the_margin_is_the_larger_of_policy_and_noise() -> None:
    assert gating.margin_above(0.03, None) == 0.03
    assert gating.margin_above(0.03, 0.01) == 0.03
    assert gating.margin_above(0.03, 0.04) == pytest.approx(0.08)
