"""A lab of processes on this machine's loopback, with real certificates."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mobilebench.lab import certificates

_PATIENCE_SECONDS = 180.0


class Process:
    """A ``mobilebench`` command under way, its output in a file."""

    def __init__(self, log: Path, environment: dict[str, str], *arguments: str) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mobilebench", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def waits_for(self, pattern: str) -> str:
        """What it says, once it does; fails where it ends before that."""

        def look() -> str | None:
            found = re.search(pattern, self.said())
            assert found or self.process.poll() is None, self.said()
            return found[0] if found else None

        return until(look, self.said)

    def ends(self) -> int:
        return self.process.wait(_PATIENCE_SECONDS)

    def end(self, how: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(_PATIENCE_SECONDS)


Value = TypeVar("Value")


def until(look: Callable[[], Value | None], said: Callable[[], str] = str) -> Value:
    """What is found, as soon as it is."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing came: {said()}")


class Laboratory:
    """Scheduler, hosts and clients, each with a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificates = folder / "certificates"
        certificates.create(self.certificates)
        self.address = ""
        self._started: list[Process] = []
        self.scheduler = self.serve("127.0.0.1:0")

    def serve(self, listen: str) -> Process:
        self.scheduler = self._start("scheduler", "lab", "serve", "--listen", listen)
        self.address = self.scheduler.waits_for(r"tls://127\.0\.0\.1:\d+")
        return self.scheduler

    def join(
        self, name: str, *options: str, device: str = "local", comes: str = "local"
    ) -> Process:
        """A host that offers a device; ``comes``: what it says of that."""
        command = ("lab", "join", self.address, "--name", name, "--device", device, *options)
        host = self._start(name, *command, cache=name)
        host.waits_for(f"{comes} has come")
        return host

    def client(self, name: str, *arguments: str) -> Process:
        return self._start(name, *arguments)

    def status(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "mobilebench", "lab", "status", self.address, "--json"],
            env=self._environment("status"),
            capture_output=True,
            check=True,
        )
        document: list[dict[str, Any]] = json.loads(done.stdout)
        return document

    def end(self) -> None:
        for process in reversed(self._started):
            process.end(signal.SIGKILL if process.process.poll() is None else signal.SIGTERM)

    def _start(self, log: str, *arguments: str, cache: str = "client") -> Process:
        number = len(self._started)
        process = Process(self.folder / f"{number}-{log}.log", self._environment(cache), *arguments)
        self._started.append(process)
        return process

    def _environment(self, cache: str) -> dict[str, str]:
        return {
            **os.environ,
            "MOBILEBENCH_CACHE": str(self.folder / f"cache-{cache}"),
            certificates.VARIABLE: str(self.certificates),
        }
