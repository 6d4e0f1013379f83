"""Which inputs of a model are rows of a table, as the interpreter's own node list shows it."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Set, Tuple

import numpy as np

_LOOK_UPS = {"GATHER": (0, 1), "EMBEDDING_LOOKUP": (1, 0)}  # where the table is, and where the rows


def table_rows(interpreter: Any) -> Dict[int, int]:
    """For each integer input that looks rows up: how many rows the smallest such table has.

    A row beyond a table is an error or, in some kernels, somebody else's memory. Followed are
    the input itself and the whole numbers made of it, such as casts. Where a runtime does not
    list its nodes, nothing is known.
    """
    try:
        nodes = interpreter._get_ops_details()
        details = {int(d["index"]): d for d in interpreter.get_tensor_details()}
        inputs = [int(d["index"]) for d in interpreter.get_input_details()]
        return _follow(nodes, details, inputs)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        return {}


def _follow(
    nodes: Sequence[Dict[str, Any]], details: Dict[int, Dict[str, Any]], inputs: Sequence[int]
) -> Dict[int, int]:
    made_of = {i: {i} for i in inputs if _is_whole(details.get(i))}
    rows: Dict[int, int] = {}
    for node in nodes:
        taken = [int(t) for t in node["inputs"]]
        given = [int(t) for t in node["outputs"]]
        if node["op_name"] in _LOOK_UPS:
            table, indices = (taken[place] for place in _LOOK_UPS[node["op_name"]])
            count = _rows(*(_shape(details[t]) for t in (table, indices, given[0])))
            for i in made_of.get(indices, ()):
                rows[i] = min(rows.get(i, count), count)
            continue
        sources: Set[int] = set()
        sources = sources.union(*(made_of.get(t, ()) for t in taken))
        for tensor in given:
            if sources and _is_whole(details.get(tensor)):
                made_of[tensor] = made_of.get(tensor, set()) | sources
    return rows


def _rows(table: Tuple[int, ...], indices: Tuple[int, ...], found: Tuple[int, ...]) -> int:
    """The length of the axis that is looked up: the shapes say which; the shortest in doubt."""
    fitting = [
        length
        for axis, length in enumerate(table)
        if table[:axis] + indices + table[axis + 1 :] == found
    ]
    return min(fitting or table)


def _shape(detail: Dict[str, Any]) -> Tuple[int, ...]:
    return tuple(int(n) for n in detail["shape"])


def _is_whole(detail: Any) -> bool:
    return detail is not None and np.dtype(detail["dtype"]).kind in "iu"
