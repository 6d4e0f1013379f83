"""A host in a process of its own, killed at random with all that it has started."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from mobilebench.errors import MobileBenchError
from mobilebench.runs import run as runs
from mobilebench.runs.run import Quiet
from mobilebench.store.folder import MANIFEST, TRIALS, RunFolder
from mobilebench.suite.schema import Suite

#: Forked from a process that has the host's modules loaded: a kill costs no start of Python.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])

#: A host is killed while it begins, or after so many more trials, at any moment of the next one.
_MOST_TRIALS = 3
_BEGIN_SECONDS, _TRIAL_SECONDS = 1.5, 0.5
_PATIENCE_SECONDS = 300.0


def _host(document: dict[str, Any], results: str, environment: dict[str, str]) -> None:
    """A run from its beginning, or from where it was left."""
    os.environ.update(environment)
    for number in (signal.SIGTERM, signal.SIGHUP):  # as the command line has it
        signal.signal(number, signal.default_int_handler)
    found = folders(Path(results))
    try:
        if found:
            runs.resume(found[-1], Quiet())
        else:
            runs.start(Suite.model_validate(document), Path(results), ["t"], Quiet())
    except MobileBenchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def folders(results: Path) -> list[Path]:
    """The runs there that can be resumed."""
    return sorted(path.parent for path in results.glob(f"*/{MANIFEST}"))


def lines(results: Path) -> int:
    """How many trials have been finished there."""
    return sum(path.read_bytes().count(b"\n") for path in results.glob(f"*/{TRIALS}"))


@dataclass
class Kills:
    """Runs one suite after the other, and kills what takes part in it.

    Attributes:
        suite: the document of a suite.
        home: where all runs are.
        environment: of the host.
        random: when is killed, and what.
        killed: how often what was killed.
        ended: runs that came to their end.
    """

    suite: dict[str, Any]
    home: Path
    environment: dict[str, str]
    random: Random
    killed: dict[str, int] = field(default_factory=dict)
    ended: int = 0

    def go_on(self, kill: bool = True) -> None:
        """One host: it is killed, or something of it is, or it comes to its end."""
        results = self.home / f"results-{self.ended}"
        results.mkdir(exist_ok=True)
        before = [kept(folder) for folder in folders(results)]
        host = _FORKS.Process(target=_host, args=(self.suite, str(results), self.environment))
        host.start()
        assert host.pid is not None
        started: set[int] = set()
        if kill:
            trials = self.random.choice((None, *range(1, _MOST_TRIALS + 1)))
            wanted = lines(results) + (trials or 0)
            while lines(results) < wanted and host.is_alive():
                started |= descendants(host.pid)
                time.sleep(0.01)
            longest = _BEGIN_SECONDS if trials is None else _TRIAL_SECONDS
            end = time.monotonic() + self.random.uniform(0, longest)
            while time.monotonic() < end and host.is_alive():
                started |= descendants(host.pid)
                time.sleep(0.01)
            self._kill(host.pid)
        host.join(_PATIENCE_SECONDS)
        assert not host.is_alive(), "the host hangs"
        wait_for(lambda: not any(map(is_alive, started)), "a program lives on without its host")
        after = folders(results)
        assert len(after) <= 1
        for earlier, folder in zip(before, after, strict=False):
            ensure_kept(earlier, kept(folder))
        if host.exitcode in (0, 1) and after:
            ensure_whole(after[0])
            self.ended += 1
        else:
            # 2, 4: what was killed was to look at the device, or to compress; the next tries again.
            assert host.exitcode in (-signal.SIGKILL, 130, 2, 4), host.exitcode

    def _kill(self, host: int) -> None:
        children = sorted(descendants(host))
        what = self.random.choice(("host", "host", "host interrupted", "child", "child"))
        if what == "child" and not children:
            what = "host"
        target = self.random.choice(children) if what == "child" else host
        name = f"{what} {program(target)}".strip() if what == "child" else what
        number = signal.SIGKILL
        if what == "host interrupted":
            number = self.random.choice((signal.SIGTERM, signal.SIGHUP))
        try:
            os.kill(target, number)
        except ProcessLookupError:
            return  # it has just ended
        self.killed[name] = self.killed.get(name, 0) + 1


def kept(folder: Path) -> list[tuple[str, str]]:
    """Each finished attempt of a run, with a hash of its raw times and answers."""
    stored = RunFolder.open(folder)
    times = {name: repr([array.tolist() for array in vars(t).values()])
             for name, t in stored.attempt_timings()}  # fmt: skip
    found = []
    for record in stored.attempts():
        name = record.attempt_name
        answers = {key: array.tobytes() for key, array in stored.answers(name).items()}
        raw = repr((times.get(name), sorted(answers.items())))
        found.append((repr(record), hashlib.sha256(raw.encode()).hexdigest()))
    return found


def ensure_kept(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    """No finished attempt is lost, changed, or in another place."""
    assert after[: len(before)] == before


def ensure_whole(folder: Path) -> None:
    """A run that came to its end has each trial of its plan once, with all that belongs to it."""
    stored = RunFolder.open(folder)
    run, records = stored.run(), stored.trials()
    assert run.state == "finished"
    assert sorted(t.trial for t in run.plan) == sorted(r.trial for r in records)
    assert all(record.is_final for record in records)
    attempts = [record.attempt_name for record in stored.attempts()]
    assert len(attempts) == len(set(attempts))
    times = {name: t.samples.size for name, t in stored.timings()}
    for record in records:
        assert times.get(record.trial, 0) == record.samples
        assert record.state == "valid" or record.reason


def descendants(process: int) -> set[int]:
    """The processes that one has started, and theirs."""
    found: set[int] = set()
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            for child in map(int, children.read_text().split()):
                found |= {child} | descendants(child)
        except OSError:  # it has just ended
            continue
    return found


def program(process: int) -> str:
    """What a child of the host is: its agent, or the worker that compresses."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return ""
    return "worker" if b"pipeline.worker" in words else "agent" if b"agent" in words else ""


def is_alive(process: int) -> bool:
    """Whether a process runs; one whose end nobody has noticed does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(condition: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)
