"""The child process that compresses, as its parent has it; see :mod:`.pipeline.worker`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobilebench import processes
from mobilebench.compress.pipeline.cache import MAKING


@dataclass
class Child:
    """The process, the log of its output, and its folder for files in the making."""

    process: subprocess.Popen[str]
    log: Path
    scratch: tempfile.TemporaryDirectory[str]
    under_way: int | None = field(default=None)

    def say(self, message: dict[str, Any]) -> None:
        """Sends one line; of its death is heard on its stdout."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def hear(self) -> dict[str, Any] | None:
        """Waits for its next message; None if it died, be it in the middle of one."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else None

    def end(self, *, keep_log: bool = False) -> None:
        """Kills it with all that it started: TensorFlow's own shutdown takes a second."""
        if self.process.poll() is None:
            processes.kill_tree(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process.wait()
        self.scratch.cleanup()
        if not keep_log:
            self.log.unlink(missing_ok=True)

    def death(self) -> str:
        """Of one that died: how, and where its last words are, in a sentence."""
        return f"the compression process died ({_how(self.process.wait())}); see {self.log}"


def begin(cache: Path) -> Child:
    """A child that waits for requests."""
    log = cache / "logs" / f"compress-{time.time_ns()}-{os.getpid()}.log"
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "PYTHONUTF8": "1",
    }
    scratch = tempfile.TemporaryDirectory(prefix=MAKING, dir=cache)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mobilebench.compress.pipeline.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=environment,
            text=True,
            encoding="utf-8",
            **processes.apart(),  # Ctrl-C is ours to handle
        )
    return Child(process, log, scratch)


def _how(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"
