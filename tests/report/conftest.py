"""Runs with synthetic numbers, for the reports."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mobilebench.analysis.summary import Summary
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import RunFolder

from tests.support.synthetic_run import build_run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """Builds a synthetic run with changes to its manifest."""
    return lambda **changes: build_run(tmp_path / "run", **changes)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished synthetic run; do not write to it, reports excepted."""
    return build_run(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture(scope="session")
def summary(finished_run: RunFolder) -> Summary:
    return summary_of(finished_run)
