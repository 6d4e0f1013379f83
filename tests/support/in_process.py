"""What a made-up device does with files: it keeps them, and answers samples for real."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mobilebench_agent import outputs, runtime
from mobilebench_agent.contract import Job, Metric, Result
from safetensors.numpy import save


class InProcessFiles:
    """The files on a device of the tests; its answers come from the agent's code, in this process.

    Attributes:
        files: what was pushed and is there still, by hash.
        written: outputs files that were not pulled yet, by path.
    """

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.written: dict[str, bytes] = {}

    def push(self, file: Path, sha256: str) -> str:
        self.files[sha256] = file
        return sha256

    def discard(self, sha256: str) -> None:
        self.files.pop(sha256, None)

    def outputs_folder(self, job: Job) -> str:  # noqa: ARG002 (nothing is written anywhere)
        return "/outputs"

    def pull(self, path: str, sha256: str, size: int, file: Path) -> None:
        content = self.written.pop(path)
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (sha256, size)
        file.write_bytes(content)

    def answer(self, job: Job) -> Result:
        """The result of an outputs job, by the model's own answers."""
        with tempfile.TemporaryDirectory() as folder:
            here = replace(
                job,
                model=str(self.files[job.model]),
                inputs=str(self.files[job.inputs]),
                outputs_folder=folder,
                xnnpack=False,  # which announces itself on this process's standard error
            )
            result = outputs.measure(runtime.find(), here, lambda *_: None)
            return self.write(job, Path(result.outputs).read_bytes(), result.metrics)

    def give(self, job: Job, *answers: Any) -> Result:
        """The result of an outputs job with other answers: one array for each output."""
        content = save({str(position): values for position, values in enumerate(answers)})
        count = Metric("answered_samples", "1", "count", len(answers[0]), 1, n=1)
        return self.write(job, content, (count,))

    def write(self, job: Job, content: bytes, metrics: tuple[Metric, ...]) -> Result:
        """Keeps an outputs file for :meth:`pull`."""
        path = f"{job.outputs_folder or '/outputs'}/{job.trial}.safetensors"
        self.written[path] = content
        return Result(
            job.trial,
            job.kind,
            metrics,
            outputs=path,
            outputs_sha256=hashlib.sha256(content).hexdigest(),
            outputs_bytes=len(content),
        )
