"""Writes ``metrics.md`` from the registry: ``python docs/generate_metrics.py``."""

from __future__ import annotations

from pathlib import Path

from mobilebench import metrics
from mobilebench.metrics import Metric

PAGE = Path(__file__).with_name("metrics.md")

_HEAD = """# Metrics

<!-- Written by docs/generate_metrics.py from harness/mobilebench/metrics/builtin.py. -->

Every metric has its value, and the reason where there is none, in `summary.csv`, in `--json` and in
the report; `mobilebench history --metric NAME` follows it over runs, and
`mobilebench compare --metric NAME` compares stored runs by it. The gate judges those that have a
margin ([how](gate.md)). A package can add its own ([Adding a metric](adding.md#a-metric)).

| name | what it is | column | unit | better | trial | gate's test | margin | if missing |
|---|---|---|---|---|---|---|---|---|
"""

_FOOT = """
- **Unit** is that of the column; tables choose a readable multiple. A share is shown in percent; a
  `value` is a plain number, in the data's own unit or in none.
- A metric of an `outputs` trial, accuracy excepted, has a column where some variant of the run has
  a value of it.
- **Trial**: which trial measures it; `artifact` needs none, `any` is whichever was run.
- **Test**: `paired` metrics are measured anew in every block of a gate and tested over the blocks;
  `exact` ones have no noise and are compared in fractions; of `interval` ones the values on the
  same samples are compared exactly, and shown with the interval of other such samples.
"""


def page() -> str:
    """The whole page."""
    rows = "".join(f"{_row(metric)}\n" for metric in metrics.registry().values())
    return _HEAD + rows + _FOOT


def _row(metric: Metric) -> str:
    judged = metric.judged
    cells = (
        f"`{metric.name}`",
        metric.description,
        f"`{metric.column}`",
        metric.unit,
        metric.direction,
        metric.kind,
        metric.test if judged else "—",
        _margin(metric) if judged else "—",
        judged.missing if judged else "—",
    )
    return f"| {' | '.join(cells)} |"


def _margin(metric: Metric) -> str:
    assert metric.judged is not None
    margin = metric.judged.margin
    if metric.scale == "ratio":
        floor = f", at least {metric.judged.floor / 1024:g} KiB" if metric.judged.floor else ""
        return f"{100 * margin:g} %{floor}"
    if metric.scale == "points":
        return f"{100 * margin:g} point{'' if margin == 0.01 else 's'}"
    unit = "dB" if metric.unit == "dB" else metric.noun
    return f"{margin:g} {unit}".rstrip()


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
