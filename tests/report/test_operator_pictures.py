"""Where the time goes, drawn: from a run's folder alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench.errors import BadInputError
from mobilebench.records.operator_times import (
    DistinctOperator,
    OperatorTime,
    OperatorTimes,
    Profile,
    profiles_json,
    read_profiles,
)
from mobilebench.report.figures.operators import MOST_OPERATORS, operator_pictures
from mobilebench.store.folder import PROFILES, RunFolder

CONVOLUTION = DistinctOperator(
    (0, 3), "CONV_2D", ("a", "b"), ("1x8x8x8 float32",), ("1x8x8x8 float32",), 36_864, 6_000
)
SOFTMAX = DistinctOperator((4,), "SOFTMAX", ("c",), ("1x10 float32",), ("1x10 float32",), 0, 80)
ROWS = (
    OperatorTime(CONVOLUTION, 2e6, 20, "gpu"),
    OperatorTime(SOFTMAX, 1e6, 20, "built-in kernels"),
    OperatorTime(replace(SOFTMAX, kind="TANH"), None, 0, "unknown", "no kernel"),
)
PROFILE = Profile(
    "m", "int8 $x$ <b>", "phone", "gpu-1", OperatorTimes("phone", "lib 1, gpu", True, 4e6, ROWS)
)


def test_a_profile_is_drawn_with_shares_and_who_ran_what() -> None:
    (picture,) = operator_pictures([PROFILE])
    assert "2 × CONV_2D" in picture.svg
    assert "80 %  gpu" in picture.svg
    assert "20 %  built-in kernels" in picture.svg
    assert "TANH" not in picture.svg
    assert "1 did not run alone" in picture.caption
    assert "Together they take 5 ms, the model 4 ms" in picture.caption
    assert "no phone's times" in picture.caption


def test_an_executors_own_profile_is_of_the_model_as_it_runs() -> None:
    within = replace(PROFILE.times, alone=False, model_ns=None)
    (picture,) = operator_pictures([replace(PROFILE, times=within)])
    assert "Mean time within the model" in picture.svg
    assert "Each operator within the model, by the profiler of lib 1, gpu" in picture.caption
    assert "alone on" not in picture.caption


def test_many_operators_are_cut_and_counted() -> None:
    many = tuple(
        OperatorTime(replace(SOFTMAX, kind=f"K{n:02}"), 1e3 * (n + 1), 3, "xnnpack")
        for n in range(MOST_OPERATORS + 4)
    )
    (picture,) = operator_pictures([replace(PROFILE, times=replace(PROFILE.times, rows=many))])
    assert "K00" not in picture.svg
    assert "4 shorter ones are not drawn" in picture.caption


def test_profiles_are_kept_and_read_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.profiles() == ()
    folder.write_profiles((PROFILE,))
    assert folder.profiles() == (PROFILE,)
    assert read_profiles(profiles_json((PROFILE,))) == (PROFILE,)


@pytest.mark.parametrize(
    "text", ["", "{}", '[{"model": "m"}]', profiles_json((PROFILE,)).decode().replace("2e6", "-1")]
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / PROFILES).write_text(text.replace("2000000.0", "-1.0"), "utf-8")
    with pytest.raises(BadInputError, match="is damaged"):
        RunFolder(tmp_path).profiles()
