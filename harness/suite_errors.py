"""What is wrong with a suite file, in one sentence."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, suite: type[BaseModel]) -> str:
    """One fault in one sentence: key, what is wrong, and the known choices.

    A misspelt key is told first: it is often why another one is missing.

    Args:
        error: of a document that is no suite.
        suite: the class that it was to be, which knows the keys.
    """
    faults = error.errors()
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    location = fault["loc"]
    key = _key(location)
    if fault["type"] == "extra_forbidden":
        known = _known_keys(suite, location[:-1])
        wrong = str(location[-1])
        close = difflib.get_close_matches(wrong, known, 1)
        hint = f", did you mean {close[0]!r}?" if close else "."
        return f"{key}: unknown key{hint} Known keys are {', '.join(known)}."
    if fault["type"] == "missing":
        return f"{key}: this key is missing."
    wanted = _WORDS.get(fault["type"])
    message = wanted or fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = fault.get("input")
    shown = f" (got {_shorten(repr(given))})" if isinstance(given, str | int | float) else ""
    return f"{key + ': ' if key else ''}{message}{shown}."


#: Pydantic speaks of Python; a suite's author writes TOML.
_WORDS = {
    "string_type": "should be a text",
    "float_type": "should be a number",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be a table",
    "model_type": "should be a table",
    "model_attributes_type": "should be a table",
    "string_pattern_mismatch": "may have letters, digits, '_', '-' and '.' only, a letter or digit "
    "first",
}


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _key(location: Sequence[int | str]) -> str:
    """``('models', 0, 'source')`` as ``models[1].source``: people count from one."""
    text = ""
    for part in location:
        if part in _UNION_MEMBERS:
            continue
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


#: What pydantic adds to a place where one of several types may stand.
_UNION_MEMBERS = ("str", "dict[str,any]")


def _known_keys(suite: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    model = suite
    for part in location:
        if isinstance(part, str):
            found = _table_of(model.model_fields[part].annotation)
            if found is None:
                return []
            model = found
    return list(model.model_fields)


def _table_of(annotation: Any) -> type[BaseModel] | None:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_table_of, typing.get_args(annotation))), None)
