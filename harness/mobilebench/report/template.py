"""Pages that need nothing but themselves: templates, one stylesheet, one script."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from mobilebench.analysis import units
from mobilebench.text import plain

_TEMPLATES = Path(__file__).parent / "page" / "templates"


def page(template: str, **values: object) -> str:
    """A page from its template; strings are escaped, whoever wrote them.

    Args:
        template: a file in ``templates``.
        values: what it shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "plain": _words,
        "breakable": _breakable,
        "json": _json,
        "grouped": units.grouped,
    }
    return environment.get_template(template).render(
        **values,
        # The stylesheet and script are ours; matplotlib escapes the text of its drawings.
        style=Markup((_TEMPLATES / "style.css").read_text("utf-8")),  # noqa: S704
        script=Markup((_TEMPLATES / "sort.js").read_text("utf-8")),  # noqa: S704
        drawn=Markup,
    )


def _words(text: object) -> str:
    """Text made safe to show, with each number and its percent sign kept on one line."""
    return plain(text).replace(" %", "\N{NO-BREAK SPACE}%")


#: Where a long name may be continued on the next line: behind a separator, in no number.
_BREAKS = re.compile(r"(?<=[_/\-,(=])(?!$)|(?<=\.)(?=[^\d\s])")
#: Characters of a word that fit into any column.
_SHORT = 12


def _breakable(text: object) -> Markup:
    """A name made safe to show; long ones may be broken behind their separators."""
    words = (
        Markup("<wbr>").join(_BREAKS.split(word)) if len(word) > _SHORT else escape(word)
        for word in _words(text).split(" ")
    )
    return Markup(" ").join(words)


def _json(value: object) -> str:
    """A part of the run as readable text, a line a field."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return "\n".join(_plain_line(line) for line in text.splitlines())


def _plain_line(line: str) -> str:
    """One line of JSON with its indentation, made safe to show."""
    return " " * (len(line) - len(line.lstrip())) + plain(line)
