"""From a run's folder to its summary."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mobilebench.analysis.summarise import summarise
from mobilebench.analysis.summary import Summary
from mobilebench.store.folder import RunFolder

if TYPE_CHECKING:
    from mobilebench.models.array import Array

#: Answers of so many attempts are in memory at once: a baseline's and a variant's.
_KEPT = 2


def summary_of(folder: RunFolder) -> Summary:
    """The run's summary, as tables and the terminal show it.

    Raises:
        BadInputError: the folder is damaged.
    """
    trials = folder.trials()
    return summarise(folder.run(), trials, folder.timings(trials), loader(folder))


def loader(folder: RunFolder) -> Callable[[str], Mapping[str, Array]]:
    """Reads answers as they are asked for, and keeps those of the last few attempts.

    The baseline's are compared with each variant's in turn.
    """
    return functools.lru_cache(maxsize=_KEPT)(folder.answers)
