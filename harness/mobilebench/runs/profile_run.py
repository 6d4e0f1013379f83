"""How long each operator of a run's variants takes alone, where the variants were measured."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from mobilebench.records.key import Key
from mobilebench.records.operator_times import Profile
from mobilebench.runs.leases import leased
from mobilebench.runs.operator_times import operator_times
from mobilebench.runs.selection import open_device
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite


def profile_run(
    folder: RunFolder, report: Callable[[int, int], None] = lambda _done, _of: None
) -> tuple[Profile, ...]:
    """Times the operators of each variant that has a valid latency trial, and keeps the times.

    Args:
        folder: of the run, whose devices are still there.
        report: is given the progress over all variants.

    Raises:
        BadInputError: a device or a file cannot be had any more.
        InvalidRunError: a device is not fit; or the disk is full or failing.
    """
    run = folder.run()
    specs = {spec.name: spec for spec in Suite.model_validate(run.suite.document).devices}
    places: dict[Key, str] = {}
    for trial in folder.trials():
        if trial.kind == "latency" and trial.state == "valid":
            places.setdefault(Key.of(trial), trial.artifact)
    found: list[Profile] = []
    parts = 1000
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as scratch:
        for number, (key, artifact) in enumerate(places.items()):

            def progress(done: int, of: int, number: int = number) -> None:
                report(number * parts + parts * done // of, len(places) * parts)

            runtime = run.runtime(key.runtime)
            if runtime is None:
                continue
            device = open_device(specs[key.device])
            with leased(device):
                times = operator_times(
                    device,
                    folder.artifact(f"{artifact}.tflite").read_bytes(),
                    str(key),
                    runtime,
                    Path(scratch),
                    progress,
                )
            found.append(Profile(key.model, key.recipe, key.device, key.runtime, times))
    profiles = tuple(found)
    folder.write_profiles(profiles)
    return profiles
