"""Gates of the two small models, on whatever device the test has set up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobilebench.runs import gate, pair
from mobilebench.runs.run import Quiet
from mobilebench.runs.verdict import GateResult
from mobilebench.suite.policy import Policy, validate
from mobilebench.suite.schema import Suite

from tests.support.models import BASELINE, CANDIDATE

#: Judges the numbers that a scripted device reports, and neither the two files nor their answers.
QUIET = validate(
    {name: {"enabled": False} for name in ("size", "download", "delegation", "answers")},
    "a test's policy",
)


def two_files(**settings: Any) -> Suite:
    return pair.suite_of_files(BASELINE, CANDIDATE, settings.pop("data", None), settings)


def run_gate(
    folder: Path, suite: Suite | None = None, policy: Policy = QUIET, watcher: Quiet | None = None
) -> GateResult:
    """Runs a gate; its run is the only one below ``results`` in the folder."""
    return gate.start(suite or two_files(), policy, folder / "results", ["t"], watcher or Quiet())


def by_metric(result: GateResult) -> dict[str, Any]:
    """The findings of a gate's only comparison."""
    (comparison,) = result.comparisons
    return {finding.metric: finding for finding in comparison.findings}
