"""Errors that a user reads: one sentence each, with the exit code it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


class MobileBenchError(Exception):
    """What went wrong, where, and what to do, in one sentence.

    ``folder`` is the run that can be resumed, if one was begun; ``exit_code`` is the command's.
    """

    exit_code = 1

    def __init__(self, message: str, *, folder: Path | None = None) -> None:
        super().__init__(message)
        self.folder = folder


class BadInputError(MobileBenchError):
    """A wrong argument, file or setting: nothing was measured, nothing was written."""

    exit_code = 2


class InvalidRunError(MobileBenchError):
    """The run cannot be trusted or cannot go on: device lost or unfit, disk full."""

    exit_code = 4


class DeviceError(InvalidRunError):
    """One device cannot be measured on (any more); what other devices do is whole.

    ``code``: ``unfit`` for a failed check, ``lost`` for one that is gone or does not answer,
    ``taken`` for one that somebody else measures on.
    """

    def __init__(self, message: str, code: str, *, folder: Path | None = None) -> None:
        super().__init__(message, folder=folder)
        self.code = code


class InterruptedRunError(MobileBenchError):
    """The user stopped the run; what was finished is kept and the rest can be done later."""

    exit_code = 130


class StepError(Exception):
    """A step that did nothing, broke the model, or could not be done: why, in one sentence.

    ``step`` is the step's text, once it is known.
    """

    step: str | None = None


class UnsupportedModelError(StepError):
    """A sound file that this machine's runtime has no kernels for."""


#: How Keras begins to say what a layer's call raised, and how terminals are asked for bold.
_CALLED = "Exception encountered when calling"
_STYLES = re.compile(r"\x1b\[[0-9;]*m")


def first_line(error: BaseException) -> str:
    """What a library's error says, in one line; its type where it says nothing.

    Keras first says which layer was called, and then what was wrong, in bold.
    """
    lines = [_STYLES.sub("", line).strip() for line in str(error).splitlines()]
    first, *rest = [line for line in lines if line] or [type(error).__name__]
    if first.startswith(_CALLED) and rest:
        return f"{first.removeprefix(_CALLED).strip(' .')}: {rest[0]}"
    return first


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """``did you mean NAME? `` with the nearest of the known names; nothing where none is near."""
    near = nearest(wrong, known)
    return f"did you mean {near}? " if near else ""


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """Which known name a misspelt one was probably to be."""
    import difflib  # for the unlucky alone

    return next(iter(difflib.get_close_matches(wrong, list(known), 1)), None)
