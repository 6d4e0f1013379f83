"""A model whose outputs have labels of their own: each is scored by its task, and all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Never

from mobilebench.models.array import Array
from mobilebench.quality.task import QualityError, Rows, Task

#: Stands between the tasks' names, and between an output's place and the name of its rows.
AND, _OF = " + ", "/"


def together(tasks: Sequence[Task]) -> Task:
    """The task of several outputs, each with its own, in the model's order.

    It has the metrics of all of them; one that several of them have is the mean over those.
    Rows are those of the tasks, by ``PLACE/NAME`` (see :func:`own_rows`).
    """
    names = [metric for task in tasks for metric in task.metrics]
    only = {name for name, count in Counter(names).items() if count == 1}

    def score(rows: Rows) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for place, task in enumerate(tasks):
            for name, value in task.score(_part(rows, place)).items():
                found.setdefault(name, []).append(value)
        return {name: sum(values) / len(values) for name, values in found.items()}

    def gather(rows: Rows) -> Rows:
        gathered = [task.gather(_part(rows, place)) for place, task in enumerate(tasks)]
        if len({len(next(iter(part.values()))) for part in gathered}) > 1:
            raise QualityError(
                f"the tasks of its outputs ({AND.join(t.name for t in tasks)}) are not of the same "
                "samples; give decode(outputs) that returns one of them, and its labels"
            )
        return {
            name: array
            for place, part in enumerate(gathered)
            for name, array in own_rows(place, part).items()
        }

    return Task(
        name=AND.join(task.name for task in tasks),
        metrics=tuple(dict.fromkeys(names)),
        fits=_never,
        rows=_never,
        score=score,
        gather=gather,
        counted={
            metric: f"{place}{_OF}{row}"
            for place, task in enumerate(tasks)
            for metric, row in task.counted.items()
            if metric in only
        },
    )


def own_rows(place: int, rows: Rows) -> dict[str, Array]:
    """One output's rows, by the names that they have among those of all."""
    return {f"{place}{_OF}{name}": array for name, array in rows.items()}


def outputs_of(labels: Mapping[str, Array], outputs: Sequence[str]) -> list[int]:
    """The position of the output that each of the labels is of.

    Args:
        labels: by the output's name, or by its number, counted from 0.
        outputs: the model's names of its outputs, in its order.

    Raises:
        QualityError: there is no such output.
    """
    if all(name in outputs for name in labels):
        return [outputs.index(name) for name in labels]
    if all(name.isdecimal() and int(name) < len(outputs) for name in labels):
        return [int(name) for name in labels]
    raise QualityError(
        f"there are labels for {', '.join(map(repr, labels))}, and the model's outputs are "
        f"{', '.join(map(repr, outputs))}: name those, or give labels in their order"
    )


def _part(rows: Rows, place: int) -> Rows:
    start = f"{place}{_OF}"
    return {k.removeprefix(start): array for k, array in rows.items() if k.startswith(start)}


def _never(*_: object) -> Never:
    raise QualityError("the outputs are reduced one by one")
