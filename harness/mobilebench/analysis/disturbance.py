"""How much of a run others' load disturbed, and what may then not be concluded.

A busy CPU preempts long inferences and lets short ones through, so that load is a bias and no
spread: all trials are disturbed alike, the interval is narrow, and the ratio of two models wrong.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mobilebench.records import conditions
from mobilebench.records.key import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mobilebench.records.conditions import Conditions
    from mobilebench.records.run import Run
    from mobilebench.records.trial import Trial

#: From this share of a variant's trials on nothing is concluded. Below it the median of all
#: lies within the middle of the undisturbed ones, at their 62nd percentile at most (0.5 / 0.8), so
#: that one disturbed trial of six withholds nothing.
TOO_MANY = 0.2


@dataclass(frozen=True)
class Load:
    """How many of some trials were disturbed, and by what.

    ``busy`` is the median of the CPUs that others kept busy in those, of ``cpus``; ``stolen``
    whether most of it was other guests of the same host. A device that reports no load has none.
    """

    disturbed: int = 0
    trials: int = 0
    busy: float = 0.0
    cpus: int = 0
    stolen: bool = False

    @property
    def withholds(self) -> bool:
        """Whether nothing may be concluded from these trials."""
        return self.disturbed > 0 and self.disturbed >= TOO_MANY * self.trials

    def in_words(self, kind: str) -> str:
        """In words: ``in 5 of 6 latency trials other processes kept 1.9 of 2 CPUs busy``."""
        who = "other guests of its host" if self.stolen else "other processes"
        cpus = f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}"
        which = f"{self.disturbed} of {self.trials} {kind} trials"
        return f"in {which} {who} kept {self.busy:.1f} of {cpus} busy"


def load(trials: Iterable[Conditions]) -> Load:
    """The load that others put on some trials."""
    all_of = list(trials)
    found = [t for t in all_of if t.loaded]
    if not found:
        return Load(0, len(all_of))
    others = [t.load_other or 0.0 for t in found]
    stolen = [t.load_stolen or 0.0 for t in found]
    busy = float(np.median(np.add(others, stolen)))
    cpus = sorted(len(t.cpus) for t in found)[len(found) // 2]
    return Load(len(found), len(all_of), busy, cpus, sum(stolen) > sum(others))


def described(
    run: Run, trials: Iterable[Trial], kind: str = "latency"
) -> dict[Key, tuple[Conditions, ...]]:
    """The conditions of the valid trials of a kind, by variant."""
    threads = {runtime.name: runtime.threads for runtime in run.runtimes}
    found: dict[Key, list[Conditions]] = defaultdict(list)
    for r in trials:
        if r.kind == kind and r.state == "valid":
            one = conditions.describe(r.metrics, r.conditions, threads.get(r.runtime, 1))
            found[Key.of(r)].append(one)
    return {key: tuple(all_of) for key, all_of in found.items()}


def withheld(own: Load, base: Load | None, kind: str = "latency") -> str:
    """Why a variant's numbers are not set against its baseline's; empty if they may be."""
    for side, whose in ((own, ""), (base, "the baseline was ")):
        if side is not None and side.withholds:
            return f"{whose}disturbed by load: {side.in_words(kind)}"
    return ""


def banners(run: Run, by_variant: Mapping[Key, Sequence[Conditions]]) -> tuple[str, ...]:
    """What must be read before any latency of the run: a sentence a device, if there is cause."""
    baselines = {model.name: model.baseline for model in run.models}
    loads = {key: load(trials) for key, trials in by_variant.items()}
    devices = list(dict.fromkeys(key.device for key in loads))
    said = []
    for device in devices:
        here = {key: found for key, found in loads.items() if key.device == device}
        hit = [
            key
            for key, own in here.items()
            if withheld(own, here.get(key._replace(recipe=baselines.get(key.model, ""))))
        ]
        if not hit:
            continue
        total = load(c for key in here for c in by_variant[key])
        where = f" on {device}" if len(devices) > 1 else ""
        which = "it" if len(hit) == len(here) else f"that of {_names(hit)}"
        said.append(
            f"Disturbed by load{where}: {total.in_words('latency')}. Latency is shown, but no "
            f"speed-up, ranking or verdict is drawn from {which}; run again on a quiet machine."
        )
    return tuple(said)


def tolerated(by_variant: Mapping[Key, Sequence[Conditions]]) -> str:
    """What is said where load disturbed too few trials to withhold anything; else nothing."""
    loads = [load(trials) for trials in by_variant.values()]
    if not any(found.disturbed for found in loads) or any(found.withholds for found in loads):
        return ""
    total = load(c for trials in by_variant.values() for c in trials)
    return (
        f"Some load: {total.in_words('latency')}. They are fewer than {TOO_MANY:.0%} of any "
        "variant's and are judged with the others."
    )


def _names(keys: Sequence[Key]) -> str:
    names = list(dict.fromkeys(f"{key.model} · {key.recipe}" for key in keys))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
