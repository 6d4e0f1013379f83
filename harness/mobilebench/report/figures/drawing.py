"""Drawings as inline SVG: text stays text, and ink follows the page's light or dark colours."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Stand-ins that become CSS variables, so that one picture serves light, dark and paper.
INK, FAINT, PAPER = "#010203", "#040506", "#070809"
_VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", PAPER: "var(--paper)"}

# Okabe & Ito, Color Universal Design (2008).
BLUE, VERMILLION = "#0072b2", "#d55e00"

#: How every picture is drawn.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    # The page's own font is drawn; this one, which matplotlib ships, gives the room for it.
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.35,
    "path.simplify": False,
}

_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Picture:
    """A drawing and what it shows, in words."""

    title: str
    caption: str
    svg: str


def svg(figure: Figure, label: str) -> str:
    """The figure as an ``<svg>`` element, the same bytes for the same figure.

    Args:
        figure: drawn with ``STYLE``.
        label: of this picture alone; its inner names come from it.
    """
    target = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": label}), warnings.catch_warnings():
        # A name in a script that the metric font lacks: the reader's own font draws it.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(target, format="svg", transparent=True, metadata=_NO_METADATA)
    text = target.getvalue()
    text = text[text.index("<svg") :]
    # Group ids repeat from picture to picture, and nothing refers to them.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, variable)
    return text
