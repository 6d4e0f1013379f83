"""Outputs made comparable: figures as lists of what is drawn, and last digits that may differ."""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Iterator
from xml.etree import ElementTree

#: The page's own style and script are files of their own: that they are there is enough.
_EMBEDDED = re.compile(r"<(style|script)>\n.+?</\1>", re.DOTALL)
#: A figure that matplotlib drew; the small drawings that the project makes itself stay.
_FIGURE = re.compile(r"<svg xmlns.+?</svg>", re.DOTALL)
_COORDINATE = re.compile(r"-?\d+(?:\.\d+)?")
_COLOUR = re.compile(r"(?:fill|stroke): (?!none)([^;]+)")

#: Numbers with a point, which another processor or library may round otherwise in the last digit.
_FRACTION = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]?\d+)?(?![\w.])|(?<![\w.])-?\d+e[+-]?\d+\b")
_INTEGER = re.compile(r"-?\d+")
_RELATIVE = 1e-6

#: What a line of a figure begins with; its coordinates may differ by a pixel.
_DRAWN = "  | "


def normalised(text: str) -> str:
    """The text without what is not ours to keep the same: matplotlib's way to write a figure."""
    return _FIGURE.sub(_figure, _EMBEDDED.sub(r"<\1>…</\1>", text))


def difference(name: str, expected: str, actual: str) -> str:
    """A readable difference; empty where both say the same but for last digits."""
    old, new = expected.splitlines(), actual.splitlines()
    # What is equal but for last digits is no part of the difference.
    matcher = difflib.SequenceMatcher(None, list(map(_skeleton, old)), list(map(_skeleton, new)))
    for i, j, n in matcher.get_matching_blocks():
        for k in range(n):
            if _agree(old[i + k], new[j + k]):
                new[j + k] = old[i + k]
    return "\n".join(
        difflib.unified_diff(old, new, f"expected/{name}", f"now/{name}", lineterm="", n=1)
    )


def _skeleton(line: str) -> str:
    return _INTEGER.sub("#", line) if line.startswith(_DRAWN) else _FRACTION.sub("#", line)


def _agree(old: str, new: str) -> bool:
    """Whether two lines of one skeleton have the same numbers, but for last digits."""
    if old.startswith(_DRAWN):
        return all(
            abs(int(a) - int(b)) <= 1
            for a, b in zip(_INTEGER.findall(old), _INTEGER.findall(new), strict=True)
        )
    return all(
        math.isclose(float(a), float(b), rel_tol=_RELATIVE, abs_tol=1e-12)
        for a, b in zip(_FRACTION.findall(old), _FRACTION.findall(new), strict=True)
    )


def _figure(match: re.Match[str]) -> str:
    # Made by matplotlib in this very process: it defines no entities.
    root = ElementTree.fromstring(match.group())  # noqa: S314
    lines = (f"{_DRAWN}{count}{what}" for what, count in _counted(_drawn(root)))
    return "\n".join(["<svg, drawn by matplotlib>", *lines, "</svg>"])


def _counted(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Lines that repeat are written once, with how often they stand there."""
    for line, same in itertools.groupby(lines):
        count = len(list(same))
        yield line, "" if count == 1 else f"{count} × "


def _drawn(element: ElementTree.Element) -> Iterator[str]:
    """What is drawn in order, with its colours and whole coordinates."""
    kind = element.tag.rpartition("}")[2]
    colours = " ".join(_COLOUR.findall(element.get("style", "")))
    if kind in ("defs", "clipPath"):
        return
    if kind == "path":
        points = [round(float(c)) for c in _COORDINATE.findall(element.get("d", ""))]
        # Lines and markers only: coordinates come in pairs, whatever the command.
        xs, ys = points[::2] or [0], points[1::2] or [0]
        yield (
            f"path of {len(xs)} points, {min(xs)} to {max(xs)}, {min(ys)} to {max(ys)}: {colours}"
        )
    elif kind == "use":
        x, y = (round(float(element.get(name, "0"))) for name in "xy")
        yield f"mark at {x}, {y}: {colours}"
    elif kind == "text":
        x, y = element.get("x"), element.get("y")
        where = f"{round(float(x))}, {round(float(y))}" if x and y else "its place"
        yield f"text at {where}: {' '.join(''.join(element.itertext()).split())}"
    for child in element:
        yield from _drawn(child)
