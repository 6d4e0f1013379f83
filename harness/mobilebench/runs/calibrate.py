"""The noise floor of a model on a device: identical arms, compared as a gate compares.

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

from mobilebench.analysis import disturbance, gating, units
from mobilebench.analysis.trial import describe
from mobilebench.analysis.verdicts import (
    DISTURBED_BY_LOAD,
    REPLICATED,
    energy_medians,
    logarithms,
    pairs,
)
from mobilebench.cache import cache_folder
from mobilebench.errors import InvalidRunError
from mobilebench.files import write_atomically
from mobilebench.records.device import DeviceFacts
from mobilebench.records.run import Run
from mobilebench.records.runtime import Runtime
from mobilebench.records.trial import TrialRecord
from mobilebench.runs import pair as arms
from mobilebench.runs import run as runs
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite

#: As many as a gate's second look: what it will see at most.
BLOCKS = 12


@dataclass(frozen=True)
class Noise:
    """How much identical arms of one artifact differ on one device with one runtime.

    ``latency`` and ``memory`` are robust standard deviations of a block's ratio (shares);
    ``memory`` is None where the device does not report it, ``energy`` also where it was not asked
    for. ``device`` and ``runtime`` are for people; ``measured`` is UTC.
    """

    artifact: str
    device: str
    runtime: str
    latency: float
    memory: float | None
    blocks: int
    measured: str
    energy: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """The noise by metric, as far as it is known."""
        found = {"latency": self.latency, "memory": self.memory, "energy": self.energy}
        return {name: value for name, value in found.items() if value is not None}


def calibrate(
    suite: Suite, results: Path, command: Sequence[str], watcher: runs.Watcher
) -> tuple[RunFolder, tuple[Noise, ...]]:
    """Measures a suite of two identical arms, and keeps the noise of each device and runtime.

    Raises:
        BadInputError: the model or a device cannot be had; nothing was written.
        InvalidRunError: a trial failed, or others' load disturbed them, so that there is no noise
            to speak of; the run is kept.
    """
    arms.ensure_bursts(suite)
    kinds = [kind for kind in REPLICATED if kind != "energy" or suite.protocol.energy]

    def shape(run: Run, _: Mapping[str, Path]) -> Run:
        return run.model_copy(update={"plan": arms.plan(run, BLOCKS, kinds)})

    folder = runs.start(suite, results, command, watcher, shape)
    run, trials = folder.run(), folder.trials()
    failed = [trial for trial in trials if trial.state != "valid"]
    if failed:
        raise InvalidRunError(
            f"{len(failed)} of {len(trials)} trials do not count ({failed[0].code}: "
            f"{failed[0].reason}), "
            f"so no noise was kept; the run is in {folder.path}"
        )
    for kind in DISTURBED_BY_LOAD:
        for load in map(disturbance.load, disturbance.described(run, trials, kind).values()):
            if load.withholds:
                raise InvalidRunError(
                    f"{load.told(kind)}, so no noise was kept: it would be that load's, and widen "
                    "every later gate's margin; calibrate again on a quiet machine; the run is in "
                    f"{folder.path}"
                )
    medians = {trial: describe(values).median for trial, values in folder.samples()}
    told = energy_medians(run, trials)
    medians |= {trial: value for trial, value in told.items() if isinstance(value, float)}
    found = []
    for device in run.devices:
        for runtime in run.runtimes:
            here = [t for t in trials if (t.device, t.runtime) == (device.name, runtime.name)]
            noise = _noise(device, runtime, here, medians)
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
        noise = Noise(**document)
        return noise if noise.artifact == artifact and noise.latency >= 0 else None
    except (OSError, ValueError, TypeError):
        return None


def sentence(noise: Noise) -> str:
    """The noise for a person, and what it makes of a gate's margin."""
    others = {"memory": noise.memory, "energy": noise.energy}
    told = "".join(
        f", {name} {units.percent(value, 2)}" for name, value in others.items() if value is not None
    )
    margin = units.percent(gating.NOISE_FACTOR * noise.latency)
    latency = units.percent(noise.latency, 2)
    return (
        f"{noise.device} · {noise.runtime}: identical arms differ by {latency} in latency"
        f"{told} (standard deviation of a block's ratio, {noise.blocks} blocks); "
        f"a latency margin is at least {margin} here"
    )


def _noise(
    device: DeviceFacts,
    runtime: Runtime,
    trials: Sequence[TrialRecord],
    medians: Mapping[str, float],
) -> Noise:
    sides = [
        [trial for trial in trials if trial.recipe == recipe]
        for recipe in (arms.BASELINE, arms.CANDIDATE)
    ]
    found: dict[str, float] = {}
    for name in REPLICATED:
        values = pairs(name, (sides[0], sides[1]), medians)
        if values and min(map(min, values)) > 0:
            found[name] = gating.noise(logarithms(values))
    return Noise(
        artifact=trials[0].artifact,
        device=device.name,
        runtime=runtime.name,
        latency=found["latency"],
        memory=found.get("memory"),
        blocks=BLOCKS,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        energy=found.get("energy"),
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
