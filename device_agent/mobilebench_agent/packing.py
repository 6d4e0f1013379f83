"""A model that came packed: unpacked and checked before it is loaded, and how long that takes."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import tempfile
import time
from dataclasses import replace
from typing import Any, Callable, Iterator, Tuple

from mobilebench_agent.contract import Job, Metric, Result
from mobilebench_agent.runtime import AgentError

_CLOCK = "CLOCK_MONOTONIC by time.perf_counter_ns"
_BLOCK = 1 << 20


@contextlib.contextmanager
def unpacked(job: Job) -> Iterator[Tuple[Job, int]]:
    """The job with a plain model for as long as the context lasts, and the nanoseconds it took.

    The file is unpacked to the system's temporary folder block by block, so that no memory is
    left behind, and its hash is taken on the way. It is not trusted: no byte more is written than
    the job says. A job without packing stays as it is.

    Raises:
        AgentError: ``unpacking_unavailable``: this Python cannot, or there is no room;
            ``model_corrupt``: what comes out is not the model that was meant.
    """
    if not job.packing:
        yield job, 0
        return
    open_packed = _opener(job.packing)
    with _scratch(job) as folder:
        path = os.path.join(folder, "model.tflite")
        start = time.perf_counter_ns()
        _unpack(open_packed, job, path)
        took = time.perf_counter_ns() - start
        plain = replace(
            job,
            model=path,
            model_sha256=job.unpacked_sha256,
            packing="",
            unpacked_sha256="",
            unpacked_bytes=0,
        )
        yield plain, took


def with_unpacking(result: Result, took: int) -> Result:
    """The result with the unpacking as a metric of its own, and within the initialization."""
    resolution = round(time.get_clock_info("perf_counter").resolution * 1e9)
    own = Metric("unpacking_time", "ns", _CLOCK, took, resolution, n=1)
    metrics = tuple(
        replace(metric, value=metric.value + took)
        if metric.name == "initialization_time" and metric.value is not None
        else metric
        for metric in result.metrics
    )
    return replace(result, metrics=(*metrics, own))


def _scratch(job: Job) -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix="mobilebench-")
    except OSError as error:
        raise _no_room(job, error) from error


def _unpack(open_packed: Callable[[str], Any], job: Job, path: str) -> None:
    digest = hashlib.sha256()
    count = 0
    try:
        with open(path, "wb") as plain:
            for block in _blocks(open_packed, job):
                count += len(block)
                if count > job.unpacked_bytes:
                    raise AgentError(
                        "model_corrupt",
                        f"{job.model} unpacks to more than the {job.unpacked_bytes} bytes of the "
                        "model that was packed",
                    )
                digest.update(block)
                plain.write(block)
    except OSError as error:
        raise _no_room(job, error) from error
    if digest.hexdigest() != job.unpacked_sha256:
        raise AgentError(
            "model_corrupt", f"what {job.model} unpacks to is not the model that was packed"
        )


def _blocks(open_packed: Callable[[str], Any], job: Job) -> Iterator[bytes]:
    try:
        with open_packed(job.model) as packed:
            yield from iter(lambda: packed.read(_BLOCK), b"")
    except MemoryError:
        raise
    except Exception as error:  # each format has errors of its own
        raise AgentError(
            "model_corrupt", f"cannot unpack {job.model} with {job.packing}: {error}"
        ) from error


def _no_room(job: Job, error: OSError) -> AgentError:
    return AgentError(
        "unpacking_unavailable",
        f"cannot write the {job.unpacked_bytes} bytes of the unpacked model: {error}",
    )


def _opener(packing: str) -> Callable[[str], Any]:
    """What opens such a file for reading."""
    modules = {"gzip": ("gzip",), "xz": ("lzma",), "zstd": ("compression.zstd", "zstandard")}
    for name in modules[packing]:
        try:
            opener: Callable[[str], Any] = importlib.import_module(name).open
        except ImportError:
            continue
        return opener
    needs = "Python 3.14 or the package zstandard" if packing == "zstd" else "a whole Python"
    raise AgentError("unpacking_unavailable", f"to unpack {packing} the agent needs {needs}")
