"""Every metric, defined once.

Tables, ``summary.csv``, JSON, LaTeX, history, the gate's policy and comparisons walk this registry,
so that a metric is added by one entry in ``builtin.py`` (``docs/adding.md`` has an example), or by
an installed package's entry point in the group ``mobilebench.metrics``, which names a ``Metric`` or
a list of them.
"""

from mobilebench.metrics.lookup import GROUP, judged, metric_named, registry, with_changes
from mobilebench.metrics.metric import (
    REPEATED_KINDS,
    Change,
    Computed,
    Counter,
    Judged,
    Kind,
    Metric,
    Quantile,
    Rule,
    Score,
    StoredSize,
    Test,
    Unit,
)

__all__ = [
    "GROUP",
    "REPEATED_KINDS",
    "Change",
    "Computed",
    "Counter",
    "Judged",
    "Kind",
    "Metric",
    "Quantile",
    "Rule",
    "Score",
    "StoredSize",
    "Test",
    "Unit",
    "judged",
    "metric_named",
    "registry",
    "with_changes",
]
