"""The runtime on this device: finding it, and loading a model with it."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple

from mobilebench_agent import delegation
from mobilebench_agent.contract import Job

#: The package of each supported runtime, the better-kept one first.
_PACKAGES = (("ai-edge-litert", "ai_edge_litert"), ("tflite-runtime", "tflite_runtime"))


class AgentError(Exception):
    """Why a trial has no result: a code of the contract and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Runtime:
    """An importable runtime: its package's name and version, and its ``interpreter`` module."""

    name: str
    version: str
    module: Any


def find() -> Runtime:
    """The best runtime that can be imported here.

    Raises:
        AgentError: there is none; the message says what to install.
    """
    reasons = []
    for name, package in _PACKAGES:
        try:
            module = importlib.import_module(f"{package}.interpreter")
            version = str(getattr(importlib.import_module(package), "__version__", "unknown"))
        except ModuleNotFoundError as error:
            if error.name not in (package, f"{package}.interpreter"):
                reasons.append(f"{name} needs {error.name}")
            continue
        except ImportError as error:
            reasons.append(f"{name} is broken: {error}")
            continue
        return Runtime(name, version, module)
    found = f" ({'; '.join(reasons)})" if reasons else ""
    raise AgentError(
        "runtime_missing",
        f"no runtime on this device{found}: pip install ai-edge-litert, "
        "or tflite-runtime with 'numpy<2' where Python is older than 3.10",
    )


def load(runtime: Runtime, job: Job) -> Any:
    """An interpreter with its tensors allocated, under the job's accelerator and threads.

    Raises:
        AgentError: the accelerator, the file or an operator of it cannot be had here.
    """
    if job.accelerator != "cpu":
        raise AgentError(
            "accelerator_unavailable",
            f"this agent has no accelerator {job.accelerator!r}; it runs on cpu",
        )
    resolvers = runtime.module.OpResolverType
    resolver = resolvers.AUTO if job.xnnpack else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = runtime.module.Interpreter(
            model_path=job.model,
            num_threads=job.threads,
            experimental_op_resolver_type=resolver,
        )
        interpreter.allocate_tensors()
    except ValueError as error:
        raise AgentError(
            "model_corrupt", f"{runtime.name} cannot read the model: {error}"
        ) from error
    except RuntimeError as error:
        raise AgentError(
            "model_unsupported",
            f"{runtime.name} {runtime.version} cannot run the model: {_one_line(error)}",
        ) from error
    _require_fixed(interpreter)
    return interpreter


def _require_fixed(interpreter: Any) -> None:
    """Refuses inputs that would be run at length 1: that is nobody's latency.

    An open batch is run as 1. It is the first of several dimensions; an input of one open
    dimension has none of its own, and is a batch only beside an input that has one.
    """
    inputs = [
        (detail["name"], [int(n) for n in detail.get("shape_signature", detail["shape"])])
        for detail in interpreter.get_input_details()
    ]
    has_batch = any(len(shape) > 1 and shape[0] == -1 for _, shape in inputs)
    for name, shape in inputs:
        if -1 in (shape[1:] if len(shape) > 1 or has_batch else shape):
            text = ", ".join("?" if n == -1 else str(n) for n in shape)
            raise AgentError(
                "open_shape",
                f"the input {name!r} has an open shape [{text}]; convert it with a fixed shape",
            )


def verify(path: str, sha256: str, missing: str, corrupt: str) -> None:
    """Checks that a file on the device is the one that the host sent.

    Raises:
        AgentError: with code ``missing`` or ``corrupt``.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        raise AgentError(missing, f"cannot read {path} on the device: {error.strerror}") from error
    if digest.hexdigest() != sha256:
        raise AgentError(corrupt, f"{path} on the device is not the file that was sent")


def delegated(interpreter: Any) -> Tuple[Dict[str, Any], str]:
    """Which nodes the delegate took, or nothing and the reason why that is not known.

    The interpreter has no public call for it.
    """
    try:
        return delegation.describe(interpreter._get_ops_details()), ""
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return {}, f"this runtime does not report which nodes were delegated: {error}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
