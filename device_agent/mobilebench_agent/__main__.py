"""One trial in one process: hello, job, events, result or error, on stdin and stdout."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, TextIO

from mobilebench_agent import __version__, affinity, clocks, contract, environment, system_files
from mobilebench_agent.contract import Error, Event, Hello, Job, Result

#: The argument with which the agent ends when its input does, as a host asks for.
ATTACHED = "--attached"


def main() -> int:
    """Serves one job and says whether it had a result (0) or not (1)."""
    # The runtime's libraries may print: stdout is kept for the protocol alone.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)

    def say(message: contract.Message) -> None:
        stream.write(contract.encode(message))
        stream.flush()

    try:
        from mobilebench_agent import runtime as runtimes
    except ImportError as error:
        # Only NumPy can be missing here.
        say(Hello(contract.PROTOCOL_VERSION, __version__, "", "", _device()))
        say(Error("runtime_missing", f"the agent needs NumPy on the device: {error}"))
        return 1
    try:
        runtime = runtimes.find()
    except runtimes.AgentError as error:
        say(Hello(contract.PROTOCOL_VERSION, __version__, "", "", _device()))
        say(Error(error.code, str(error)))
        return 1
    say(Hello(contract.PROTOCOL_VERSION, __version__, runtime.name, runtime.version, _device()))
    job = _read_job(sys.stdin, say)
    if job is None:
        return 1
    if ATTACHED in sys.argv[1:]:
        threading.Thread(target=_end_with_host, daemon=True).start()
    try:
        say(_run(runtimes, runtime, job, say))
    except runtimes.AgentError as error:
        say(Error(error.code, str(error), job.trial))
        return 1
    except MemoryError:
        say(Error("out_of_memory", "the device has too little memory for this model", job.trial))
        return 1
    except Exception as error:  # the last resort of a program that must answer
        say(Error("internal", f"{type(error).__name__}: {error}", job.trial))
        raise
    return 0


def _end_with_host() -> None:
    """Ends this process when its input does: the host holds it open for as long as it lives."""
    # Until then the thread sleeps in the kernel, and nothing is measured differently.
    while os.read(0, 4096):
        pass
    os._exit(1)


def leave(code: int) -> None:
    """Ends the process at once: what it had to say is said, and nothing needs tidying."""
    sys.stderr.flush()
    os._exit(code)


def _read_job(stream: TextIO, say: Any) -> Any:
    line = stream.readline()
    if not line:
        return None
    try:
        job = contract.decode(line)
        if not isinstance(job, Job):
            raise contract.ContractError(f"expected a job, got {job.type}")
        if job.protocol != contract.PROTOCOL_VERSION:
            raise contract.ContractError(
                f"the host speaks protocol {job.protocol}, this agent {contract.PROTOCOL_VERSION}"
            )
    except contract.ContractError as error:
        say(Error("bad_job", str(error)))
        return None
    return job


def _run(runtimes: Any, runtime: Any, job: Job, say: Any) -> Result:
    def phase(name: str, done: float = 0.0) -> None:
        say(Event(job.trial, name, done))

    if job.cpus:
        affinity.keep_to(job.cpus)
    elif job.cluster:
        affinity.keep_to(clocks.biggest(system_files.root()))
    runtimes.verify(job.model, job.model_sha256, "model_missing", "model_corrupt")
    around = environment.Environment(system_files.root())
    # A process measures one thing: the others' modules stay out of it.
    measure = importlib.import_module(f"mobilebench_agent.{job.kind}").measure
    more = {"moment": around.moment} if job.kind == "latency" else {}
    result: Result
    if job.packing:
        packing = importlib.import_module("mobilebench_agent.packing")
        phase("unpack")
        with packing.unpacked(job) as (plain, took):
            result = packing.with_unpacking(measure(runtime, plain, phase, **more), took)
    else:
        result = measure(runtime, job, phase, **more)
    metrics = result.metrics + around.end()
    return replace(result, metrics=metrics, conditions=around.conditions())


def _device() -> Dict[str, Any]:
    """What this device says of itself; a fact that it does not report is left out."""
    facts: Dict[str, Any] = {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    readings = {
        "board": _first_line("/proc/device-tree/model"),
        "cpu": _field("/proc/cpuinfo", ("model name", "Hardware")),
        "memory": _field("/proc/meminfo", ("MemTotal",)),
        "governor": _first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }
    facts.update({name: value for name, value in readings.items() if value})
    if os.environ.get("MOBILEBENCH_VIRTUAL"):
        # An emulator or test equipment: no latency of it is a device's.
        facts["virtual"] = True
    return facts


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace").split("\n")[0].strip("\0 ")
    except OSError:
        return ""


def _field(path: str, names: Any) -> str:
    try:
        text = Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""


if __name__ == "__main__":
    leave(main())
