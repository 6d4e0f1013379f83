"""Why a command on a device refused: one sentence out of what it printed."""

from __future__ import annotations

import re

_LONGEST = 300

#: ``java.lang.SecurityException: Permission Denial: …``, as a stack trace begins.
_THROWN = re.compile(
    r"^(?:Error: |Exception: |Security exception: |Caused by: |Exception in thread \"[^\"]*\" )*"
    r"(?:[a-z_]\w*\.)+(?P<name>[A-Z][\w$]*)(?:: *(?P<why>.*))?$"
)
#: Lines that lead into a stack trace or belong to one, and are no sentence.
_TRACE = re.compile(r"at [\w.$/<>]+\(.*\)|\.\.\. \d+ more|Exception occurred while .*:?")


def sentence(text: str) -> str:
    """The reason in what a command printed; empty where it printed nothing.

    Of a Java stack trace it is the exception's own sentence (its name, if it has none); of other
    text the last line.
    """
    lines = [line for line in (line.strip() for line in text.splitlines()) if line]
    traced = any(line.startswith("at ") and _TRACE.fullmatch(line) for line in lines)
    for line in lines:
        thrown = _THROWN.match(line)
        if thrown and (traced or thrown["name"].endswith(("Exception", "Error"))):
            return (thrown["why"] or thrown["name"])[:_LONGEST]
    kept = [line for line in lines if not _TRACE.fullmatch(line)]
    return (kept or lines or [""])[-1][:_LONGEST]
