"""The results folder: raw first, append-only, and readable after any kind of death.

``run.json`` is the run, replaced atomically. ``trials.jsonl`` has one line a finished
attempt at a trial, written whole and flushed to the disk; a line cut by a crash is dropped on
opening, so that the attempt is made again. Its samples are written to a part file *before* its
line, and folded into ``samples.parquet`` when the run ends. What a device answered is in
``answers/``, a file an attempt, which is there before its line, too. Every table and picture is
rebuilt from this folder alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn, Self

import filelock

from mobilebench.errors import BadInputError, first_line
from mobilebench.files import (
    disk_errors,
    make_folder,
    remove_leftovers,
    replacing,
    sync_folder,
    write_atomically,
)
from mobilebench.models.array import Array
from mobilebench.records.operator_times import Profile, profiles_json, read_profiles
from mobilebench.records.run import Run, read_run
from mobilebench.records.timings import Nanoseconds, Timings
from mobilebench.records.trial import Trial, read_trial
from mobilebench.store import samples as timings

MANIFEST = "run.json"
TRIALS = "trials.jsonl"
SAMPLES = "samples.parquet"
PARTS = "samples.parts"
ARTIFACTS = "artifacts"
ANSWERS = "answers"
PROFILES = "operators.json"
LOCK = ".lock"

#: What is rebuilt from the others.
PAGE, TEXT, TABLE = "report.html", "report.md", "summary.csv"


class FolderTakenError(BadInputError):
    """A run of that name is there already."""


class FolderBusyError(BadInputError):
    """Another run is writing to the folder."""


class RunFolder:
    """One run's folder, open for reading; ``locked`` opens it for writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Devices are measured at the same time, and their trials end when they end.
        self._appending = threading.Lock()

    @classmethod
    def create(cls, path: Path, run: Run, files: Mapping[str, Path] | None = None) -> Self:
        """Makes a new folder: the files that belong to the run first, ``run.json`` last.

        So a folder with a ``run.json`` has all that it needs to be resumed.

        Args:
            path: the new folder.
            run: what ``run.json`` is to say.
            files: models and data, by the name that they get in the folder.

        Raises:
            FolderTakenError: there is something of that name already.
            BadInputError: the folder cannot be made.
            InvalidRunError: the disk is full or failing; nothing is left behind.
        """
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise FolderTakenError(
                f"{path} exists already; choose another folder or resume it with --resume {path}"
            ) from error
        except OSError as error:
            raise BadInputError(
                f"cannot write results to {path}: {error.strerror}; "
                "choose a writable folder with --results"
            ) from error
        folder = cls(path)
        try:
            with disk_errors(path):
                make_folder(path / ARTIFACTS)
            for name, source in (files or {}).items():
                folder.add_artifact(source, name)
            folder.write_run(run)
            with disk_errors(path):
                sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens the folder of an earlier run.

        Raises:
            BadInputError: there is no run there, or one that is damaged or of a newer format.
        """
        folder = cls(path)
        if not (path / MANIFEST).is_file():
            raise BadInputError(f"{path} is no results folder: it has no {MANIFEST}")
        folder.run()
        return folder

    def run(self) -> Run:
        """What ``run.json`` says, of whatever format it is.

        Raises:
            BadInputError: it is damaged, or of a newer format; the message names the key.
        """
        path = self.path / MANIFEST
        try:
            document = json.loads(path.read_text("utf-8"), parse_constant=_reject)
        except OSError as error:
            raise BadInputError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise BadInputError(f"{path} is damaged: it is not JSON ({error})") from error
        return read_run(document, str(path))

    def write_run(self, run: Run) -> None:
        """Replaces ``run.json`` as a whole."""
        text = json.dumps(run.document(), indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.path / MANIFEST, text.encode())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one writer.

        Raises:
            FolderBusyError: another run is writing to it.
            BadInputError: it cannot be written to.
        """
        lock = filelock.FileLock(self.path / LOCK)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise FolderBusyError(
                f"another run is writing to {self.path}; wait for it or choose another folder"
            ) from error
        except OSError as error:
            raise BadInputError(f"cannot write to {self.path}: {error.strerror}") from error
        try:
            remove_leftovers(self.path)
            yield
        finally:
            lock.release()

    def artifact(self, name: str) -> Path:
        """The path of a file that belongs to the run, named by its hash."""
        return self.path / ARTIFACTS / name

    def add_artifact(self, source: Path, name: str) -> Path:
        """Copies a file into the run under that name; nothing happens if it is there."""
        target = self.artifact(name)
        if not target.exists():
            with disk_errors(target), replacing(target) as temporary:
                shutil.copyfile(source, temporary)
        return target

    # Trials.

    def append(self, record: Trial, times: Timings | None = None) -> None:
        """Keeps one finished attempt: its times first, then its line, both on the disk.

        Raises:
            InvalidRunError: the disk is full or failing; what was kept before is whole.
        """
        if times is not None and times.samples.size:
            self._write_part(record.attempt_name, times)
        line = (
            json.dumps(asdict(record), separators=(",", ":"), ensure_ascii=False) + "\n"
        ).encode()
        path = self.path / TRIALS
        with self._appending, disk_errors(path), path.open("ab") as file:
            start = file.tell()
            if not start:
                sync_folder(self.path)
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(start)
                raise

    def drop_torn_line(self) -> bool:
        """Cuts off a last line that a crash left unfinished; says whether there was one."""
        path = self.path / TRIALS
        if not path.exists():
            return False
        with disk_errors(path), path.open("rb+") as file:
            whole, last = 0, b""
            for line in file:
                whole, last = whole + len(last), line
            if not last or not _is_torn(last):
                return False
            file.truncate(whole)
            os.fsync(file.fileno())
        return True

    def trials(self) -> list[Trial]:
        """The latest attempt at each trial, in the order they finished: no trial counts twice."""
        latest: dict[str, Trial] = {}
        for record in self.attempts():
            latest.pop(record.trial, None)
            latest[record.trial] = record
        return list(latest.values())

    def attempts(self) -> list[Trial]:
        """Every finished attempt at every trial, in order. A torn last line is passed over.

        A line of which some part is damaged is its trial's failure.

        Raises:
            BadInputError: a line is no trial at all.
        """
        path = self.path / TRIALS
        if not path.exists():
            return []
        records = []
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if _is_torn(line) and not file.peek(1):
                    break
                try:
                    records.append(read_trial(json.loads(line, parse_constant=_reject)))
                except (ValueError, RecursionError) as error:
                    raise BadInputError(f"{path}:{number}: not a trial: {error}") from error
        return records

    # Answers.

    def write_answers(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Keeps what a device answered in one attempt; to be called before its line is appended.

        Args:
            name: the attempt's.
            arrays: ``output/<position>``: the real numbers of an output, a row a sample;
                ``reduced/<name>``: what the task made of all samples, a row each.

        Raises:
            InvalidRunError: the disk is full or failing.
        """
        from safetensors.numpy import save

        target = self._answers_file(name)
        with disk_errors(target):
            make_folder(target.parent)
        write_atomically(target, save(dict(arrays)))

    def answers(self, name: str) -> dict[str, Array]:
        """What ``write_answers`` kept of that attempt; empty if nothing.

        Raises:
            BadInputError: the file is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self._answers_file(name)
        if not path.exists():
            return {}
        try:
            return load_file(path)
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise BadInputError(f"{path} is damaged: {first_line(error)}") from error

    def _answers_file(self, name: str) -> Path:
        return self.path / ANSWERS / f"{name}.safetensors"

    # Samples.

    def write_profiles(self, profiles: tuple[Profile, ...]) -> None:
        """Keeps how long each operator takes alone.

        Raises:
            InvalidRunError: the disk is full or failing.
        """
        with disk_errors(self.path / PROFILES):
            write_atomically(self.path / PROFILES, profiles_json(profiles))

    def profiles(self) -> tuple[Profile, ...]:
        """How long each operator takes alone; none where that was not asked for.

        Raises:
            BadInputError: the file is damaged.
        """
        path = self.path / PROFILES
        try:
            return read_profiles(path.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise BadInputError(f"{path} is damaged: {error}") from error

    def samples(self) -> Iterator[tuple[str, Nanoseconds]]:
        """The timed inferences of each latency trial's latest attempt, one trial at a time."""
        for trial, times in self.timings():
            yield trial, times.samples

    def timings(self, trials: Iterable[Trial] | None = None) -> Iterator[tuple[str, Timings]]:
        """The raw times of each latency trial's latest attempt, one trial at a time.

        Args:
            trials: what ``trials`` returned, if that is known already.
        """
        latest = self.trials() if trials is None else trials
        names = {record.attempt_name: record.trial for record in latest}
        for attempt, times in self.attempt_timings():
            if attempt in names:
                yield names[attempt], times

    def times_of(self, record: Trial) -> Timings | None:
        """The raw times of one attempt that this session made; None where there are none."""
        part = self.path / PARTS / f"{record.attempt_name}.npy"
        return timings.read_part(part) if part.exists() else None

    def attempt_timings(self) -> Iterator[tuple[str, Timings]]:
        """The raw times of every attempt, by its name, one at a time."""
        seen: set[str] = set()
        for part in self._parts():
            seen.add(part.stem)
            yield part.stem, timings.read_part(part)
        if (self.path / SAMPLES).exists():
            for attempt, times in timings.read_table(self.path / SAMPLES):
                if attempt not in seen:
                    yield attempt, times

    def fold_samples(self) -> None:
        """Moves the part files of finished trials into ``samples.parquet``."""
        import pyarrow.parquet as pq

        parts = self._parts()
        if not parts:
            return
        finished = {record.attempt_name for record in self.attempts()}
        target = self.path / SAMPLES
        with (
            disk_errors(target),
            replacing(target) as temporary,
            pq.ParquetWriter(temporary, timings.schema(), compression="zstd") as writer,
        ):
            for table in timings.tables(
                (name, times) for name, times in self.attempt_timings() if name in finished
            ):
                # Whole: earlier versions read a trial that lies in two groups as two.
                writer.write_table(table, row_group_size=table.num_rows)
        # With whatever a kill left half-written in it.
        with disk_errors(self.path / PARTS):
            shutil.rmtree(self.path / PARTS)

    def _parts(self) -> list[Path]:
        return sorted((self.path / PARTS).glob("*.npy"))

    def _write_part(self, trial: str, times: Timings) -> None:
        target = self.path / PARTS / f"{trial}.npy"
        with disk_errors(target):
            make_folder(target.parent)
        # In memory first: NumPy hides the reason when a file cannot be written to its end.
        write_atomically(target, timings.to_part(times))


def _is_torn(line: bytes) -> bool:
    """Whether a last line is what a crash left of one: cut off, or with blocks that never came."""
    return not line.endswith(b"\n") or b"\0" in line


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
