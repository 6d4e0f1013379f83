"""From a run's folder to its summary."""

from __future__ import annotations

from mobilebench.analysis import summarise
from mobilebench.analysis.summary import Summary
from mobilebench.errors import BadInputError
from mobilebench.store.folder import RunFolder


def summary_of(folder: RunFolder) -> Summary:
    """The run's summary, as tables and the terminal show it.

    Raises:
        BadInputError: the folder is damaged.
    """
    try:
        return summarise(folder.run(), folder.trials(), folder.timings())
    # What an agent told of a trial has no fixed form, so its types are not checked beforehand.
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise BadInputError(
            f"{folder.path} is damaged: its trials are not as a run writes them ({error})"
        ) from error
