"""The order of trials: complete, interleaved, seeded."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from mobilebench.records.trial import PlannedTrial
from mobilebench.runs.plan import PlannedVariant, make_plan

VARIANTS = [PlannedVariant("m", recipe) for recipe in "abcd"]


def latency(plan: tuple[PlannedTrial, ...], block: int) -> list[tuple[str, str]]:
    return [(t.recipe, t.runtime) for t in plan if t.kind == "latency" and t.block == block]


@given(st.integers(1, 8), st.integers(0, 2**31))
def test_every_block_holds_every_variant_once(blocks: int, seed: int) -> None:
    plan = make_plan("r", "local", VARIANTS, ["cpu-1", "cpu-4"], blocks, seed)
    expected = Counter((v.recipe, runtime) for v in VARIANTS for runtime in ("cpu-1", "cpu-4"))
    for block in range(blocks):
        assert Counter(latency(plan, block)) == expected
    assert len({trial.trial for trial in plan}) == len(plan)
    in_order = [trial.block for trial in plan if trial.kind == "latency"]
    assert in_order == sorted(in_order)


def test_memory_and_outputs_come_first_and_once() -> None:
    plan = make_plan("r", "local", VARIANTS, ["cpu-1"], 2, 0)
    assert [t.kind for t in plan] == ["memory"] * 4 + ["outputs"] * 4 + ["latency"] * 8


def test_the_seed_decides_the_order() -> None:
    def orders(seed: int, device: str = "local") -> list[list[tuple[str, str]]]:
        plan = make_plan("r", device, VARIANTS, ["cpu-1"], 20, seed)
        return [latency(plan, block) for block in range(20)]

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    assert orders(1) != orders(1, "phone")
    assert len({tuple(order) for order in orders(1)}) > 5


def test_more_blocks_leave_the_earlier_ones_as_they_were() -> None:
    few = make_plan("r", "local", VARIANTS, ["cpu-1"], 3, 9)
    many = make_plan("r", "local", VARIANTS, ["cpu-1"], 6, 9)
    assert few == many[: len(few)]


def test_no_position_is_anybody_s_own() -> None:
    plan = make_plan("r", "local", VARIANTS, ["cpu-1"], 400, 3)
    first = Counter(latency(plan, block)[0][0] for block in range(400))
    # 100 expected each; five standard deviations (8.7) to either side.
    assert all(56 < first[recipe] < 144 for recipe in "abcd")
