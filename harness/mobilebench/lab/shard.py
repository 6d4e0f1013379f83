"""What a lab host has of somebody's run: the lane of one device, as a run folder of its own.

So a lane that is begun again goes on, whoever died meanwhile: client, scheduler or host.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mobilebench.cache import cache_folder
from mobilebench.errors import BadInputError, first_line
from mobilebench.files import disk_errors, sha256_of
from mobilebench.records.run import Run, read_run
from mobilebench.records.trial import read_trial
from mobilebench.store import samples
from mobilebench.store.folder import ANSWERS, MANIFEST, PARTS, RunFolder

#: A file that travels does so in parts of this size.
PART_BYTES = 8 << 20


def files_of(run: Run, folder: RunFolder) -> dict[str, Path]:
    """The files that a lane needs, by the name that they have among a run's artifacts."""
    names = [f"{artifact.sha256}.tflite" for artifact in run.artifacts]
    names += [f"{a.dataset.sha256}.safetensors" for a in run.artifacts if a.dataset]
    return {name: folder.artifact(name) for name in dict.fromkeys(names)}


def missing(names: Collection[str]) -> list[str]:
    """Which of these files this host has not got yet."""
    return [name for name in names if not file_here(name).exists()]


def put(name: str, offset: int, data: bytes, is_last: bool, sender: str) -> None:
    """Keeps a part of a file, in order; the last makes it whole.

    Args:
        name: of the file.
        offset: of the part, in bytes.
        data: the part.
        is_last: whether the file ends with it.
        sender: a word that no other sender of the same file has.

    Raises:
        BadInputError: what came is not the file of that name.
    """
    target = file_here(name)
    if not (sender.isascii() and sender.isalnum()):
        raise BadInputError(f"{sender!r} is no sender of a file")
    growing = target.with_name(f"{target.name}.{sender}.part")
    with disk_errors(growing):
        target.parent.mkdir(parents=True, exist_ok=True)
        with growing.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)
        if not is_last:
            return
        if sha256_of(growing) != name.split(".", maxsplit=1)[0]:
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

    The plan of one that goes on may have grown: a gate looks twice.

    Args:
        lane: what distinguishes it from all others.
        document: of the lane's own ``run.json``.

    Raises:
        BadInputError: there is a lane of that name with other trials or other files.
    """
    path = shard_path(lane)
    run = read_run(dict(document), f"lane {lane}")
    if (path / MANIFEST).is_file():
        folder = RunFolder.open(path)
        before = folder.run()
        planned, files = _contents(before)
        asked, asked_files = _contents(run)
        if files != asked_files or not planned <= asked:
            raise BadInputError(
                f"lane {lane} has another plan or other files on its host: start a new run"
            )
        if planned != asked:
            folder.write_run(before.model_copy(update={"plan": run.plan, "state": "interrupted"}))
        return folder
    if path.is_dir():
        # Its host went while it was made.
        with disk_errors(path):
            shutil.rmtree(path)
    names = files_of(run, RunFolder(path))
    return RunFolder.create(path, run, {name: file_here(name) for name in names})


def _contents(run: Run) -> tuple[set[str], set[tuple[str, str, str, str]]]:
    files = {
        (a.model, a.recipe, a.sha256, a.dataset.sha256 if a.dataset else "") for a in run.artifacts
    }
    return {trial.trial for trial in run.plan}, files


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


def lacking(lane: str, names: Collection[str]) -> list[str]:
    """Which of these attempts the folder of a lane has not got; all where there is no folder."""
    path = shard_path(lane)
    if not (path / MANIFEST).is_file():
        return list(names)
    known = {record.attempt_name for record in RunFolder(path).attempts()}
    return [name for name in names if name not in known]


def history(folder: RunFolder, names: Collection[str]) -> list[Attempt]:
    """Attempts that a host is to know of and not to repeat: their records, of warm-ups the times.

    Args:
        folder: the client's.
        names: of attempts.
    """
    wanted = set(names)
    records = [record for record in folder.attempts() if record.attempt_name in wanted]
    # How many warm-up runs are needed is found from the times.
    timed = [record.attempt_name for record in records if record.kind == "warmup"]
    times = dict(zip(timed, _times(folder, timed), strict=True))
    return [Attempt(json.dumps(asdict(r)), times.get(r.attempt_name)) for r in records]


def restore(folder: RunFolder, earlier: Collection[Attempt]) -> None:
    """Appends attempts that were made elsewhere, so that the lane goes on after them.

    Args:
        folder: of the lane.
        earlier: the client's, in order.

    Raises:
        BadInputError: one is no attempt at a trial.
    """
    if not earlier:
        return
    folder.drop_torn_line()
    planned = {trial.trial for trial in folder.run().plan}
    latest = {record.trial: record.attempt for record in folder.trials()}
    for attempt in earlier:
        try:
            record = read_trial(json.loads(attempt.line))
        except ValueError as error:
            raise BadInputError(f"a client sent what is no trial: {first_line(error)}") from error
        if record.trial not in planned or record.attempt <= latest.get(record.trial, 0):
            continue
        times = samples.read_part(io.BytesIO(attempt.times)) if attempt.times else None
        folder.append(record, times)
        latest[record.trial] = record.attempt


def attempts(lane: str, known: Collection[str], most_bytes: int = 8 << 20) -> list[Attempt]:
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
