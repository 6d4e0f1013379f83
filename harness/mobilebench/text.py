"""Strings from a device or a file, made safe to show."""

from __future__ import annotations

from collections.abc import Iterable

#: A name of a suite's that can be part of a file's name.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"

_LONGEST = 1000


def plain(text: object) -> str:
    """The text in one line, without control or direction characters, cut where it is very long."""
    line = " ".join(str(text).split())
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def markdown(text: object) -> str:
    """The text with the characters that GitHub would read as markup escaped."""
    line = plain(text).replace("&", "&amp;").replace("<", "&lt;")
    for character in "\\`*|[]":
        line = line.replace(character, "\\" + character)
    return line


def joined(sentences: Iterable[object]) -> str:
    """Sentences one after the other; one that lacks its full stop gets it."""
    texts = [text for text in (str(sentence).strip() for sentence in sentences) if text]
    return " ".join(text if text.endswith((".", "!", "?", "…")) else f"{text}." for text in texts)


def file_name(text: str) -> str:
    """The text as a suite's name: what a file's name may not have is a hyphen."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in text)
    return plain.strip("-._")[:60].rstrip("-._") or "suite"
