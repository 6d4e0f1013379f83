"""A run for a machine: what ``--json`` prints."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mobilebench.analysis.rows import frame

if TYPE_CHECKING:
    from mobilebench.analysis.summary import Summary


def document(summary: Summary) -> dict[str, Any]:
    """The summary as plain values: a row a variant, named as in ``summary.csv``."""
    return {
        "run": summary.run,
        "suite": summary.suite,
        "state": summary.state,
        "planned_trials": summary.planned_trials,
        "valid_trials": summary.valid_trials,
        "variants": json.loads(frame(summary).to_json(orient="records")),
        **_minutes(summary),
        "failed_trials": [asdict(trial) for trial in summary.failed_trials],
        "advice": [
            {
                "model": c.model,
                "device": c.device,
                "runtime": c.runtime,
                "library": c.library,
                **asdict(advice),
            }
            for c in summary.comparisons
            for advice in c.advice
        ],
        "warnings": [*summary.disturbed, *summary.warnings],
    }


def _minutes(summary: Summary) -> dict[str, Any]:
    """Each minute of each sustained trial; nothing for a run of bursts."""
    found = [
        {
            "model": comparison.model,
            "recipe": variant.recipe,
            "device": comparison.device,
            "runtime": comparison.runtime,
            "trials": [asdict(trial) for trial in variant.sustained.trials],
        }
        for comparison in summary.comparisons
        for variant in comparison.variants
        if variant.sustained is not None
    ]
    return {"sustained": found} if found else {}
