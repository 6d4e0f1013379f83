"""What a lab host has of somebody's run: the lane of one device, as a run folder of its own.

So a lane that is begun again goes on, whoever died meanwhile: client, scheduler or host.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mobilebench.cache import cache_folder
from mobilebench.errors import BadInputError
from mobilebench.files import disk_errors
from mobilebench.records.run import Run, read_run
from mobilebench.store import samples
from mobilebench.store.folder import ANSWERS, MANIFEST, PARTS, RunFolder

#: A file that travels does so in parts of this size.
PART_BYTES = 16 << 20


def files_of(run: Run, folder: RunFolder) -> dict[str, Path]:
    """The files that a lane needs, by the name that they have among a run's artifacts."""
    names = [f"{artifact.sha256}.tflite" for artifact in run.artifacts]
    names += [f"{a.dataset.sha256}.safetensors" for a in run.artifacts if a.dataset]
    return {name: folder.artifact(name) for name in dict.fromkeys(names)}


def missing(names: Collection[str]) -> list[str]:
    """Which of these files this host has not got yet."""
    return [name for name in names if not file_here(name).exists()]


def put(name: str, offset: int, data: bytes, is_last: bool) -> None:
    """Keeps a part of a file, in order; the last makes it whole.

    Raises:
        BadInputError: what came is not the file of that name.
    """
    target = file_here(name)
    growing = target.with_name(f"{target.name}.part")
    with disk_errors(growing):
        target.parent.mkdir(parents=True, exist_ok=True)
        with growing.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)
        if not is_last:
            return
        with growing.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != name.split(".", maxsplit=1)[0]:
            growing.unlink()
            raise BadInputError(f"{name} did not arrive as it was sent")
        os.replace(growing, target)


def file_here(name: str) -> Path:
    """The path of a file that was put here."""
    stem, _, suffix = name.partition(".")
    if not (stem.isascii() and stem.isalnum() and suffix.isascii() and suffix.isalnum()):
        raise BadInputError(f"{name!r} is no file of a run")
    return cache_folder() / "lab" / "files" / name


def open_shard(lane: str, document: Mapping[str, Any]) -> RunFolder:
    """The folder of a lane; it is made of ``run.json`` and of files that are here, or goes on.

    Args:
        lane: what distinguishes it from all others.
        document: of the lane's own ``run.json``.
    """
    path = shard_path(lane)
    run = read_run(dict(document), f"lane {lane}")
    if (path / MANIFEST).is_file():
        folder = RunFolder.open(path)
        known = {trial.trial for trial in folder.run().plan}
        if known != {trial.trial for trial in run.plan}:
            raise BadInputError(f"lane {lane} is of another plan here: start a new run")
        return folder
    names = files_of(run, RunFolder(path))
    return RunFolder.create(path, run, {name: file_here(name) for name in names})


def shard_path(lane: str) -> Path:
    """Where the folder of a lane is."""
    if not (lane.isascii() and lane.isalnum()):
        raise BadInputError(f"{lane!r} is no lane")
    return cache_folder() / "lab" / "lanes" / lane


@dataclass(frozen=True)
class Attempt:
    """One finished attempt on its way home.

    Attributes:
        line: the record, as JSON.
        times: the content of its part file; None: it has none.
        answers: of its answers file; None: it has none.
    """

    line: str
    times: bytes | None = None
    answers: bytes | None = None


def attempts(lane: str, known: Collection[str], most_bytes: int = 64 << 20) -> list[Attempt]:
    """The finished attempts that are not known yet, in order; no more than fit at once.

    Args:
        lane: whose.
        known: names of attempts.
        most_bytes: after so many no further one is added.
    """
    path = shard_path(lane)
    if not (path / MANIFEST).is_file():
        return []
    folder = RunFolder(path)
    new = [record for record in folder.attempts() if record.attempt_name not in known]
    names = [record.attempt_name for record in new]
    found, size = [], 0
    for record, times in zip(new, _times(folder, names), strict=True):
        answers = path / ANSWERS / f"{record.attempt_name}.safetensors"
        attempt = Attempt(
            json.dumps(asdict(record)), times, answers.read_bytes() if answers.exists() else None
        )
        found.append(attempt)
        size += len(attempt.line) + len(times or b"") + len(attempt.answers or b"")
        if size >= most_bytes:
            break
    return found


def _times(folder: RunFolder, names: Collection[str]) -> Iterator[bytes | None]:
    """The part file's content of each attempt, also where the parts were folded already."""
    folded: dict[str, bytes] | None = None
    for name in names:
        part = folder.path / PARTS / f"{name}.npy"
        try:
            yield part.read_bytes()
            continue
        except OSError:
            pass
        if folded is None:
            wanted = set(names)
            folded = {
                attempt: samples.to_part(times)
                for attempt, times in folder.attempt_timings()
                if attempt in wanted
            }
        yield folded.get(name)
