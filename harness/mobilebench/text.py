"""Strings from a device or a file, made safe to show."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable

from mobilebench.errors import BadInputError

#: A name of a suite's that can be part of a file's name.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"

_LONGEST = 1000
#: What Python does not call printable, and is harmless: ends of lines, spaces that do not break.
_ALLOWED = "\n\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"


def plain(text: object) -> str:
    """The text in one line, without control or direction characters, cut where it is very long."""
    # Whatever follows is cut anyway: a text may have megabytes.
    shown = printable(" ".join(str(text)[: 20 * _LONGEST].split()))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def printable(text: str) -> str:
    """The text, of any length, without control or direction characters but its ends of lines."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in _ALLOWED else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def markdown(text: object) -> str:
    """The text with the characters that GitHub would read as markup escaped."""
    line = plain(text).replace("&", "&amp;").replace("<", "&lt;")
    for character in "\\`*|[]":
        line = line.replace(character, "\\" + character)
    line = _EMPHASIS.sub(r"\\\g<0>", line)
    # Comments, as GitHub looks for people, issues and addresses in the text between two tags.
    return _LIVE.sub(r"\g<0><!-- -->", line)


#: An underline within a word is one.
_EMPHASIS = re.compile(r"(?<!\w)_|_(?!\w)|~|^[#>]|^[+-](?= )|(?<=^\d)\.(?= )")
_LIVE = re.compile(r"@(?=\w)|\w#(?=\d)|(?<!\w)(?:#|GH-)(?=\d)|://|www\.", re.IGNORECASE)


def joined(sentences: Iterable[object]) -> str:
    """Sentences one after the other; one that lacks its full stop gets it."""
    texts = [text for text in (str(sentence).strip() for sentence in sentences) if text]
    return " ".join(text if text.endswith((".", "!", "?", "…")) else f"{text}." for text in texts)


#: What stands for our own signs where a stream's encoding lacks them, as ASCII and latin-1 do.
_PLAINER = {
    "µ": "u", "−": "-", "×": "x", "→": "->", "…": "...", "—": "-", "–": "-", "·": "-", "Δ": "d",
    "°": " deg ", "≤": "<=", "≥": ">=", "’": "'", "“": '"', "”": '"', "✓": "+", "✗": "x",
    "▲": "^", "▼": "v", "━": "-", "╸": "-", "╺": "-", "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
}  # fmt: skip

#: An encoding's errors handler: see ``_PLAINER``; what else it lacks is a question mark.
PLAINER = "mobilebench.plainer"


def _plainer(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAINER.get(character, "?") for character in lacking), error.end


codecs.register_error(PLAINER, _plainer)


def file_name(text: str) -> str:
    """The text as a suite's name: what a file's name may not have is a hyphen."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in text)
    return plain.strip("-._")[:60].rstrip("-._") or "suite"


def percent(share: float, decimals: int = 1) -> str:
    """A share: ``97.3 %``, with a true minus sign."""
    return f"{100 * share:.{decimals}f} %".replace("-", "−")


_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def size_of(text: str) -> int:
    """Bytes of ``20GB``, ``500M`` or ``0``.

    Raises:
        BadInputError: it is no size.
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)b?", text.strip().lower(), re.ASCII)
    if not found:
        raise BadInputError(f"{text[:40]!r} is no size, as 20GB, 500MB or 0")
    return int(float(found[1]) * _UNITS[found[2]])


def size_in(variable: str) -> int | None:
    """The size that a variable of the environment gives; None where it gives none.

    Raises:
        BadInputError: it is no size.
    """
    text = os.environ.get(variable)
    try:
        return size_of(text) if text else None
    except BadInputError as error:
        raise BadInputError(f"{variable}: {error}") from error
