"""What others' load did to a run, whether its latency can still be told, and how that is said.

A busy CPU preempts long inferences and lets short ones through, so that load is a bias and no
spread: all trials are disturbed alike, the interval is narrow, and the ratio of two models wrong.
Where the device reports which inferences were interrupted, the others tell the latency
(``preemption``); where it does not, or too few were left alone, nothing is concluded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mobilebench.analysis import units
from mobilebench.analysis.preemption import FEW
from mobilebench.records import conditions
from mobilebench.records.key import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mobilebench.analysis.trial import TrialStatistics
    from mobilebench.records.conditions import Conditions
    from mobilebench.records.run import Run
    from mobilebench.records.trial import Trial

#: From this share of a variant's trials on nothing is concluded. Below it the median of all
#: lies within the middle of the undisturbed ones, at their 62nd percentile at most (0.5 / 0.8), so
#: that one disturbed trial of six withholds nothing.
TOO_MANY = 0.2


@dataclass(frozen=True)
class Load:
    """How many of some trials had to share the CPUs, and what became of their latency.

    Attributes:
        disturbed: trials under load whose latency cannot be told.
        trials: all of them.
        busy: the median of the CPUs that others kept busy in the loaded ones; 0: not reported.
        cpus: on how many they could run.
        stolen: whether most of it was other guests of the same host.
        loaded: trials under load, the disturbed ones among them. A device that reports neither
            load nor CPU times has none.
        interrupted: the median share of inferences that others interrupted in the loaded trials;
            None: not known.
        left_out: loaded trials whose statistics leave the interrupted inferences out.
    """

    disturbed: int = 0
    trials: int = 0
    busy: float = 0.0
    cpus: int = 0
    stolen: bool = False
    loaded: int = 0
    interrupted: float | None = None
    left_out: int = 0

    @property
    def withholds(self) -> bool:
        """Whether nothing may be concluded from these trials."""
        return self.disturbed > 0 and self.disturbed >= TOO_MANY * self.trials

    def in_words(self, kind: str) -> str:
        """In words: ``in 5 of 6 latency trials other processes kept 1.9 of 2 CPUs busy``."""
        which = f"in {self.loaded} of {self.trials} {kind} trials"
        share = "" if self.interrupted is None else _percent(self.interrupted)
        if not self.busy:
            return f"{which} other processes interrupted {share} of the inferences"
        who = "other guests of its host" if self.stolen else "other processes"
        cpus = f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}"
        more = f" and interrupted {share} of the inferences" if share else ""
        return f"{which} {who} kept {self.busy:.1f} of {cpus} busy{more}"

    @property
    def taken_over(self) -> str:
        """Over which inferences latency was taken: a sentence; empty where nothing was loaded."""
        if not self.loaded:
            return ""
        if self.disturbed == self.loaded:
            return "Latency is that of all inferences"
        if not self.left_out:
            return "Latency is that of all inferences, since so few were interrupted"
        return "Latency is that of the inferences that nobody interrupted"


def load(trials: Iterable[Conditions]) -> Load:
    """The load that others put on some trials."""
    all_of = list(trials)
    found = [t for t in all_of if t.loaded or (t.interrupted or 0.0) > FEW]
    if not found:
        return Load(0, len(all_of))
    by_counter = [t for t in found if t.loaded]
    others = [t.load_other or 0.0 for t in by_counter]
    stolen = [t.load_stolen or 0.0 for t in by_counter]
    shares = [t.interrupted for t in found if t.interrupted is not None]
    return Load(
        disturbed=sum(not t.unharmed for t in found),
        trials=len(all_of),
        busy=float(np.median(np.add(others, stolen))) if by_counter else 0.0,
        cpus=sorted(len(t.cpus) for t in by_counter)[len(by_counter) // 2] if by_counter else 0,
        stolen=sum(stolen) > sum(others),
        loaded=len(found),
        interrupted=float(np.median(shares)) if shares else None,
        left_out=sum(t.left_out for t in found),
    )


def described(
    run: Run,
    trials: Iterable[Trial],
    kind: str = "latency",
    statistics: Mapping[str, TrialStatistics] | None = None,
) -> dict[Key, tuple[Conditions, ...]]:
    """The conditions of the valid trials of a kind, by variant.

    Args:
        run: what was planned.
        trials: the finished trials.
        kind: which of them.
        statistics: of latency trials, by name: what others did to their inferences.
    """
    threads = {runtime.name: runtime.threads for runtime in run.runtimes}
    found: dict[Key, list[Conditions]] = defaultdict(list)
    for r in trials:
        if r.kind == kind and r.state == "valid":
            found[Key.of(r)].append(of_trial(r, threads.get(r.runtime, 1), statistics or {}))
    return {key: tuple(all_of) for key, all_of in found.items()}


def of_trial(trial: Trial, threads: int, statistics: Mapping[str, TrialStatistics]) -> Conditions:
    """One trial's conditions, with what others did to its inferences."""
    found = conditions.describe(trial.metrics, trial.conditions, threads)
    of_samples = statistics.get(trial.trial)
    preemption = of_samples.preemption if of_samples else None
    if preemption is None or trial.kind != "latency":
        return found
    return replace(
        found,
        interrupted=preemption.share,
        left_out=preemption.left_out,
        unharmed=not preemption.reason,
    )


def withheld(own: Load, base: Load | None, kind: str = "latency") -> str:
    """Why a variant's numbers are not set against its baseline's; empty if they may be."""
    for side, whose in ((own, ""), (base, "the baseline was ")):
        if side is not None and side.withholds:
            return f"{whose}disturbed by load: {side.in_words(kind)}"
    return ""


def banners(run: Run, by_variant: Mapping[Key, Sequence[Conditions]]) -> tuple[str, ...]:
    """What must be read before any latency of the run: a sentence a device, if there was load.

    Every output shows these sentences, and makes none of its own.
    """
    baselines = {model.name: model.baseline for model in run.models}
    loads = {key: load(trials) for key, trials in by_variant.items()}
    devices = list(dict.fromkeys(key.device for key in loads))
    said = []
    for device in devices:
        here = {key: found for key, found in loads.items() if key.device == device}
        total = load(c for key in here for c in by_variant[key])
        if not total.loaded:
            continue
        where = f" on {device}" if len(devices) > 1 else ""
        hit = [
            key
            for key, own in here.items()
            if withheld(own, here.get(key._replace(recipe=baselines.get(key.model, ""))))
        ]
        if hit:
            which = "it" if len(hit) == len(here) else f"that of {_names(hit)}"
            said.append(
                f"Disturbed by load{where}: {total.in_words('latency')}. Latency is shown, but no "
                f"speed-up, ranking or verdict is drawn from {which}; run again on a quiet "
                "machine."
            )
            continue
        few = (
            f" Trials that were disturbed nevertheless: {total.disturbed}, fewer than "
            f"{_percent(TOO_MANY)} of any variant's; they are judged with the others."
            if total.disturbed
            else ""
        )
        said.append(
            f"Measured under load{where}: {total.in_words('latency')}. {total.taken_over}.{few}"
        )
    return tuple(said)


def _names(keys: Sequence[Key]) -> str:
    names = list(dict.fromkeys(f"{key.model} · {key.recipe}" for key in keys))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _percent(share: float) -> str:
    return units.percent(share, 1 if share < 0.01 else 0)
