"""What pydantic finds wrong with a user's input, in one sentence."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from mobilebench.errors import did_you_mean, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def explain_document(error: ValidationError, model: type[BaseModel], top: str = "key") -> str:
    """One fault of a TOML document: the key, what is wrong, and the known choices.

    Args:
        error: of a document that is no ``model``.
        model: the class that it was to be, which knows the keys.
        top: what a key outside any table is called.
    """
    fault = _first(error)
    location = fault["loc"]
    if fault["type"] == _UNKNOWN:
        *tables, wrong = location
        known = _known_keys(model, tables)
        near = nearest(str(wrong), known)
        hint = f", did you mean {near!r}?" if near else "."
        what = "key" if tables else top
        key = ".".join(filter(None, (_key(tables), str(wrong))))
        return f"{key}: unknown {what}{hint} Known {what}s are {', '.join(known)}."
    key = _key(location)
    if fault["type"] == "missing":
        return f"{key}: this key is missing."
    given = fault.get("input")
    got = f" (got {shown(given)})" if isinstance(given, str | int | float) else ""
    return f"{key + ': ' if key else ''}{_message(fault)}{got}."


def explain_settings(error: ValidationError, model: type[BaseModel], settings: list[str]) -> str:
    """One fault of a call's settings: which setting, and what it may be; goes on after a name.

    Args:
        error: of settings that are none of ``model``.
        model: the class that they were for; its fields' descriptions say what is allowed.
        settings: what can be set, in the order in which it is shown.
    """
    fault = _first(error)
    if not fault["loc"]:
        return _message(fault)
    setting = str(fault["loc"][0])
    if fault["type"] == _UNKNOWN:
        hint = did_you_mean(setting, settings)
        return f"has no setting {setting!r}; {hint}{known_settings(settings)}"
    allowed = model.model_fields[setting].description
    if fault["type"] == "missing":
        return f"needs {setting}=" + (f": it is {allowed}" if allowed else "")
    why = f"is {allowed}" if allowed else _message(fault)
    return f"cannot have {setting}={shown(fault['input'])}: it {why}"


def known_settings(settings: list[str]) -> str:
    """What a call takes."""
    return f"its settings are {', '.join(settings)}" if settings else "it takes no settings"


#: Pydantic's type of a key that the model does not have.
_UNKNOWN = "extra_forbidden"

#: Pydantic speaks of Python; a document's author writes TOML.
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

#: What pydantic adds to a place where one of several types may stand.
_UNION_MEMBERS = ("str", "dict[str,any]")


def _first(error: ValidationError) -> ErrorDetails:
    """The fault to report: a misspelt key first, as it is often why another one is missing."""
    faults = error.errors()
    return next((fault for fault in faults if fault["type"] == _UNKNOWN), faults[0])


def _message(fault: ErrorDetails) -> str:
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return _WORDS.get(fault["type"], message)


def shown(given: object) -> str:
    """What was given, as a sentence quotes it: its beginning, where it is long."""
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _key(location: Sequence[int | str]) -> str:
    """``('models', 0, 'source')`` as ``models[1].source``: people count from one."""
    text = ""
    for part in location:
        if part in _UNION_MEMBERS:
            continue
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _known_keys(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
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
