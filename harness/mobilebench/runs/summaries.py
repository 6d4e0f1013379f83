"""From a run's folder to its summary."""

from __future__ import annotations

from mobilebench.analysis import summarise
from mobilebench.analysis.summary import Summary
from mobilebench.store.folder import RunFolder


def summary_of(folder: RunFolder) -> Summary:
    """The run's summary, as tables and the terminal show it.

    Raises:
        BadInputError: the folder is damaged.
    """
    trials = folder.trials()
    return summarise(folder.run(), trials, folder.timings(trials))
