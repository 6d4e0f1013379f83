from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.compress.pruning.masks import BLOCKS, fits, follows, leave_out
from mobilebench.compress.pruning.schedule import Masking, cubic

SHAPES = [(16, 32), (32, 16), (3, 3, 16, 48), (64, 10)]


def test_the_least_are_left_out() -> None:
    a, b = np.array([[3.0, 1.0], [0.5, 4.0]]), np.array([0.1, 5.0, 0.2, 2.0])
    keep_a, keep_b = leave_out([a, b], 0.5)
    assert keep_a.tolist() == [[True, False], [False, True]]
    assert keep_b.tolist() == [False, True, False, True]
    keep_a, keep_b = leave_out([a, b], [0.25, 0.5])
    assert keep_a.tolist() == [[True, True], [False, True]]
    assert keep_b.tolist() == [False, True, False, True]
    ties = leave_out([np.ones(10)], 0.3)[0]
    assert (~ties).sum() == 3
    assert leave_out([a], 0.0)[0].all()


def test_blocks_by_hand() -> None:
    scores = np.array([[4.0, 1], [0, 1], [0, 1], [0, 1]])  # four inputs, two outputs
    assert leave_out([np.vstack([scores, scores * 2])], 0.25, "1x4")[0].all(axis=1).sum() == 4
    (keep,) = leave_out([scores], 0.5, "2:4")
    assert keep[:, 0].sum() == keep[:, 1].sum() == 2
    assert keep[0, 0]
    assert not fits((6, 2), "1x4")
    assert not fits((4, 8), "16x1")
    assert fits((3, 3, 4, 8), "2:4")
    assert fits((7, 5), None)


@given(
    st.sampled_from([*BLOCKS, "2:4", None]),
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3),
    st.floats(0, 1),
    st.integers(0, 2**31),
)
@settings(max_examples=100, deadline=None)
def test_counts_are_exact_and_patterns_hold(
    pattern: str | None, shapes: list[tuple[int, ...]], share: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    shapes = [shape for shape in shapes if fits(shape, pattern)]
    if not shapes:
        return
    share = share / 2 if pattern == "2:4" else share
    scores = [np.abs(random.normal(size=shape)) for shape in shapes]
    masks = leave_out(scores, share, pattern)
    block = int(np.prod(BLOCKS.get(pattern or "", (1, 1))))
    total = sum(score.size for score in scores)
    assert sum(int((~mask).sum()) for mask in masks) == round(share * (total // block)) * block
    by_layer = leave_out(scores, [share] * len(scores), pattern)
    for mask, score in zip(by_layer, scores, strict=True):
        assert int((~mask).sum()) == round(share * (score.size // block)) * block
    if pattern in BLOCKS:
        assert all(follows(mask.astype(float), pattern) for mask in masks)
    if pattern == "2:4":
        half = leave_out(scores, 0.5, pattern)
        assert all(follows(mask.astype(float), pattern) for mask in half)
        assert all(mask.mean() == 0.5 for mask in half)


@given(st.sampled_from(["1x4", "2:4", None]), st.integers(0, 2**31), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_masks_only_ever_close(pattern: str | None, seed: int, by_layer: bool, flat: bool) -> None:
    """Whatever the scores become, even all alike: what is out stays out, and the goal is met."""
    random = np.random.default_rng(seed)
    weights = [random.normal(size=(16, 8)).astype(np.float32) for _ in range(2)]

    def scores() -> list[np.ndarray]:
        made = [np.abs(random.normal(size=w.shape)).astype(np.float32) for w in weights]
        return [np.zeros_like(m) for m in made] if flat else made

    kept = [np.ones(w.shape, np.bool_) for w in weights]
    masking = Masking(kept, weights, scores, [0.5, 0.5] if by_layer else 0.5, pattern, once=False)
    before, seen = [np.ones(w.shape, np.bool_) for w in weights], []
    for done in (0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 1.0):
        masks = masking(done)
        for old, new in zip(before, masks, strict=True):
            assert not (new & ~old).any()
        before = [mask.copy() for mask in masks]
        seen.append(sum(int((~mask).sum()) for mask in masks))
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[5] == seen[-1] == 128
    if pattern == "1x4":
        assert all(follows(mask.astype(float), pattern) for mask in before)


def test_cubic_schedule() -> None:
    assert [cubic(t, 0.0, 0.8) for t in (-1, 0, 0.5, 1, 2)] == pytest.approx([0, 0, 0.7, 0.8, 0.8])
    assert cubic(0.5, 0.5, 0.9) == pytest.approx(0.85)
