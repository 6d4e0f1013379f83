"""The noise of a model on a device: two copies of one file, compared as a gate compares.

It is kept in the cache folder, a file for each device, runtime and artifact, and widens the
margin of every later gate of that artifact there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mobilebench.analysis import disturbance, gating, units
from mobilebench.analysis.measures import Evidence
from mobilebench.analysis.trial import TrialStatistics
from mobilebench.analysis.verdicts import block_pairs, logarithms, statistics_of
from mobilebench.cache import cache_folder
from mobilebench.errors import InvalidRunError
from mobilebench.files import write_atomically
from mobilebench.metrics import Metric, registry
from mobilebench.records.device import DeviceFacts
from mobilebench.records.run import Run
from mobilebench.records.runtime import Runtime
from mobilebench.records.trial import Trial
from mobilebench.runs import pair
from mobilebench.runs import run as runs
from mobilebench.runs.leases import Leases, Patience
from mobilebench.runs.plan import measured_kinds
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite

#: As many as a gate's second look: what it will see at most.
BLOCKS = 12


@dataclass(frozen=True)
class Noise:
    """How much two measurements of one file differ on one device with one runtime.

    ``metrics`` has a robust standard deviation of a block's ratio (share) of each paired metric
    that was measured. ``device`` and ``runtime`` are for people; ``measured`` is UTC.
    """

    artifact: str
    device: str
    runtime: str
    metrics: Mapping[str, float]
    blocks: int
    measured: str


def calibrate(
    suite: Suite,
    results: Path,
    command: Sequence[str],
    watcher: runs.Watcher,
    patience: Patience | None = None,
) -> tuple[RunFolder, tuple[Noise, ...]]:
    """Measures a suite of two copies of one file, and keeps the noise of each device and runtime.

    ``patience``: how long others are waited for.

    Raises:
        BadInputError: the model or a device cannot be had; nothing was written.
        InvalidRunError: a trial failed, or others' load disturbed them, so that there is no noise
            to speak of; the run is kept.
    """
    pair.ensure_bursts(suite)
    metrics = [metric for metric in registry().values() if metric.test == "paired"]
    kinds = measured_kinds(metrics, suite.protocol.energy)

    def shape(run: Run) -> Run:
        for device in run.devices:
            device.ensure_timed()
        return run.model_copy(update={"plan": pair.plan(run, BLOCKS, kinds)})

    leases = Leases(patience)
    folder = runs.start(suite, results, command, watcher, shape, whole=True, leases=leases)
    run, trials = folder.run(), folder.trials()
    failed = [trial for trial in trials if trial.state != "valid"]
    if failed:
        raise InvalidRunError(
            f"{len(failed)} of {len(trials)} trials do not count ({failed[0].code}: "
            f"{failed[0].reason}), "
            f"so no noise was kept; the run is in {folder.path}"
        )
    statistics = statistics_of(run, trials, folder.timings(trials), metrics)
    for kind in dict.fromkeys(metric.kind for metric in metrics if metric.disturbed_by_load):
        described = disturbance.described(run, trials, kind, statistics)
        for load in map(disturbance.load, described.values()):
            if load.withholds:
                raise InvalidRunError(
                    f"{load.in_words(kind)}, so no noise was kept: it would be that load's, and "
                    "widen every later gate's margin; calibrate again on a quiet machine; the run "
                    f"is in {folder.path}"
                )
    found = []
    for device in run.devices:
        for runtime in run.runtimes:
            here = [t for t in trials if (t.device, t.runtime) == (device.name, runtime.name)]
            noise = _noise(device, runtime, here, statistics, metrics)
            _keep(device, runtime, noise)
            found.append(noise)
    return folder, tuple(found)


def known(
    device: DeviceFacts, runtime: Runtime, artifact: str, cache: Path | None = None
) -> Noise | None:
    """The noise that was kept; None if there is none, or the file is damaged.

    Args:
        device: its facts.
        runtime: accelerator, threads, delegate.
        artifact: the SHA-256 of the model.
        cache: where noise is kept; None: the user's cache folder.
    """
    try:
        document = json.loads(_path(device, runtime, artifact, cache).read_text("utf-8"))
        noise = Noise(**_with_metrics(document))
        sound = all(value >= 0 for value in noise.metrics.values())
        return noise if noise.artifact == artifact and sound else None
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _with_metrics(document: dict[str, Any]) -> dict[str, Any]:
    """What is kept, or was by a version that had a key for each metric."""
    if "metrics" in document:
        return document
    old = {name: document.pop(name, None) for name in ("latency", "memory", "energy")}
    return {**document, "metrics": {k: value for k, value in old.items() if value is not None}}


def sentence(noise: Noise) -> str:
    """The noise for a person, and what it makes of a gate's margins."""
    metrics = registry()
    known = {metrics[name]: value for name, value in noise.metrics.items() if name in metrics}
    shares = ", ".join(f"{m.words} {units.percent(value, 2)}" for m, value in known.items())
    wider = ", ".join(
        f"{metric.words} {units.percent(gating.NOISE_FACTOR * value)}"
        for metric, value in known.items()
    )
    return (
        f"{noise.device} · {noise.runtime}: two measurements of the same file differ by: {shares} "
        f"(standard deviation of a block's ratio, {noise.blocks} blocks); "
        f"the least margins here: {wider}"
    )


def _noise(
    device: DeviceFacts,
    runtime: Runtime,
    trials: Sequence[Trial],
    statistics: Mapping[str, TrialStatistics],
    metrics: Sequence[Metric],
) -> Noise:
    profile, counter = device.battery_current, device.power_counter
    base, candidate = (
        Evidence(
            [trial for trial in trials if trial.recipe == recipe],
            statistics,
            profile=profile,
            counter=counter,
        )
        for recipe in (pair.BASELINE, pair.CANDIDATE)
    )
    found: dict[str, float] = {}
    for metric in metrics:
        values = block_pairs(metric, (base, candidate))
        if values and min(map(min, values)) > 0:
            found[metric.name] = gating.noise(logarithms(values))
    return Noise(
        artifact=trials[0].artifact,
        device=device.name,
        runtime=runtime.name,
        metrics=found,
        blocks=BLOCKS,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _keep(device: DeviceFacts, runtime: Runtime, noise: Noise) -> None:
    path = _path(device, runtime, noise.artifact, None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRunError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    write_atomically(path, (json.dumps(asdict(noise), indent=1) + "\n").encode())


#: What makes a device another one, as far as its noise goes.
_OF_DEVICE = ("kind", "agent", "runtime", "runtime_version", "info")


def _path(device: DeviceFacts, runtime: Runtime, artifact: str, cache: Path | None) -> Path:
    """Noise belongs to the device itself and all that runs a model on it, not to their names."""
    identity = {
        "device": {
            key: getattr(device, key)
            for key in ("kind", "agent", "runtime", "runtime_version", "info")
        },
        "runtime": runtime.model_dump(exclude={"name"}),
    }
    text = json.dumps(identity, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return (cache or cache_folder()) / "noise" / key / f"{artifact}.json"
