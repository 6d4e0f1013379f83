"""The picture of a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench.metrics import registry
from mobilebench.report.figures.search import picture
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Measure
from mobilebench.search.view import SearchView

from tests.support.search import BASELINE


@pytest.mark.parametrize(
    ("minimize", "drawn"), [(("macs",), False), (("size", "macs"), False), (("energy",), True)]
)
def test_what_is_not_above_0_is_left_out(minimize: tuple[Measure, ...], drawn: bool) -> None:
    base = replace(BASELINE, values={"size": 1000.0, "macs": 0.0, "energy": 2e-3})
    values = {"size": 270.0, "macs": 0.0, "energy": -1e-5}
    own = replace(base, recipe="int8", sha256="int8", values=values)
    view = SearchView(
        Path("search"), "s", "m", "local", "searching", Aim(minimize), registry()["accuracy"], 250,
        base, (own,), 60.0, 90.0,
    )  # fmt: skip
    found = picture(view)
    assert (found is not None) == drawn
