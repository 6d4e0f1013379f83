"""Which nodes of a model a delegate took, as the interpreter's own node list shows it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Iterable, List, Set

_DELEGATE = "DELEGATE"


def describe(operators: Iterable[Dict[str, Any]]) -> Dict[str, Any]:
    """Counts delegated nodes.

    A delegate does not remove the nodes that it replaces: it appends one ``DELEGATE`` node a
    partition. Walking from such a node's outputs back to its inputs, through the producers in
    between, finds exactly what it replaced.

    Args:
        operators: ``index``, ``op_name``, ``inputs`` and ``outputs`` (tensor indices) of each
            node, as ``Interpreter._get_ops_details()`` returns them.

    Returns:
        ``nodes``, ``delegated``, ``partitions``, and ``left``: the operators that stayed with
        the runtime's own kernels, with their counts.
    """
    nodes = list(operators)
    originals = [node for node in nodes if node["op_name"] != _DELEGATE]
    partitions = [node for node in nodes if node["op_name"] == _DELEGATE]
    producer = {int(t): node for node in originals for t in node["outputs"]}
    taken: Set[int] = set()
    for partition in partitions:
        boundary = {int(t) for t in partition["inputs"]}
        frontier: List[int] = [int(t) for t in partition["outputs"]]
        while frontier:
            node = producer.get(frontier.pop())
            if node is None or int(node["index"]) in taken:
                continue
            taken.add(int(node["index"]))
            frontier += [int(t) for t in node["inputs"] if int(t) not in boundary]
    left = Counter(str(n["op_name"]) for n in originals if int(n["index"]) not in taken)
    return {
        "nodes": len(originals),
        "delegated": len(taken),
        "partitions": len(partitions),
        "left": dict(sorted(left.items())),
    }
