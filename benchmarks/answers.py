"""What an outputs trial costs: seconds and memory over the number of samples and their size.

    python benchmarks/answers.py                                   two minutes
    python benchmarks/answers.py --quick                           seconds
    python benchmarks/answers.py --samples 2000 --sides 256        11 GB of answers

A whole trial through the local agent, as a run has it: samples in batches of at most 64 MiB, each
answered in a fresh process, its raw outputs fetched, held against the reference answers and
reduced to a confusion matrix's counts; then the score with its interval. The model resizes scores
of 21 classes to an image, float32, so that nearly all of the time goes into what it gives back.

Each row is measured by a process of its own, whose peak the kernel reports, as it does that of
the agents, and the CPU time of both, which other processes' load disturbs less than the seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import heading, sha256
from mobilebench.devices.local.device import LocalDevice
from mobilebench.runs import answers
from mobilebench.runs.references import reference
from mobilebench.runs.samples import BATCH_BYTES, Samples
from mobilebench.tflite import file, interface
from mobilebench_agent.contract import PROTOCOL_VERSION, Job
from safetensors.numpy import save_file

CLASSES = 21
_INPUT_SIDE = 8
_TIMEOUT_SECONDS = 3600.0

#: An interpreter that notes the peak and the CPU time of the agent which it runs.
_INTERPRETER = """#!{python} -ISE
import os, sys
child = os.posix_spawn({python!r}, [{python!r}, *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(child, 0)
with open({notes!r}, "a") as notes:
    notes.write(f"{{usage.ru_maxrss}} {{usage.ru_utime + usage.ru_stime}}\\n")
os._exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Found:
    """What a trial took: seconds, CPU seconds, peaks in bytes, and how many batches it had."""

    seconds: float
    host_cpu: float
    agent_cpu: float
    host_peak: int
    agent_peak: int
    batches: int


def main() -> None:
    """Prints a row for each number and size of samples."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--quick", action="store_true", help="few samples of two small sizes")
    options = parser.parse_args()
    counts, sides = ([40, 80, 160], [32, 64]) if options.quick else (options.samples, options.sides)
    if any(side % _INPUT_SIDE or side < 1 for side in sides) or min(counts) < 1:
        sys.exit(f"give at least one sample, and sides that are multiples of {_INPUT_SIDE}")
    heading("Answers: seconds and memory of an outputs trial")
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    print(f"load      {load:.1f} before it began")
    if load > cores / 2:
        print("          others keep this machine busy: read the memory, and not the seconds")
    print(f"batches   of {BATCH_BYTES >> 20} MiB at most\n")
    print(
        "output       samples     size  batches     trial  a sample  CPU: host    agent"
        "  peak: host    agent  load"
    )
    # A process a row; spawned, so that none begins with the memory of another.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for side in sides:
            every = []
            for count in counts:
                every.append(pool.apply(measure, (side, count)))
                show(side, count, every[-1])
            show_line("seconds", side, counts, [found.seconds for found in every])
            cpu = [found.host_cpu + found.agent_cpu for found in every]
            show_line("CPU time", side, counts, cpu)
            print(flush=True)


def show(side: int, count: int, found: Found) -> None:
    """Prints a row."""
    print(
        f"{f'{side}×{side}×{CLASSES}':12} {count:7,} {count * row_bytes(side) / 1e6:5,.0f} MB "
        f"{found.batches:8} {found.seconds:7.2f} s {1e3 * found.seconds / count:6.1f} ms "
        f"{found.host_cpu:8.2f} s {found.agent_cpu:6.2f} s {found.host_peak >> 20:7} MiB "
        f"{found.agent_peak >> 20:4} MiB {os.getloadavg()[0]:5.1f}",
        flush=True,
    )


def show_line(what: str, side: int, counts: list[int], seconds: list[float]) -> None:
    """Prints the straight line through the rows of one size, and how far they are from it."""
    if len(set(counts)) > 2:
        slope, start = np.polyfit(counts, seconds, 1)
        off = max(
            abs(found / (start + slope * count) - 1)
            for count, found in zip(counts, seconds, strict=True)
        )
        print(
            f"    {what}: {start:.1f} s and {1e3 * slope:.1f} ms a sample, which is "
            f"{row_bytes(side) / slope / 1e6:,.0f} MB a second; rows are within {100 * off:.0f} %"
        )


def measure(side: int, count: int) -> Found:
    """One whole trial, and what this process and its agents held at most."""
    importlib.import_module("scipy.stats")  # as in a run that has scored others before
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as name:
        folder = Path(name)
        model, notes = folder / "model.tflite", folder / "notes"
        model.write_bytes(resize(side))
        digest = sha256(model)
        samples = write_samples(folder / "samples.safetensors", side, count)
        taken = interface.read(model.read_bytes(), str(model))
        device = LocalDevice("local", str(interpreter(folder, notes)), folder / "cache")
        version = device.probe().runtime_version
        known = reference(device, version, model, digest, taken, samples, folder / "cache")
        notes.unlink()
        job = Job(PROTOCOL_VERSION, "benchmark.local.00000", "latency", str(model), digest)
        question = answers.Question(taken, samples, known)
        reset_peak()
        start, busy = time.perf_counter(), time.process_time()
        found = answers.ask(device, job, question, lambda _: None, _TIMEOUT_SECONDS, seed=1)
        seconds, host_cpu = time.perf_counter() - start, time.process_time() - busy
        host_peak = peak()
        if not found.answers.scores or not found.answers.parity:
            sys.exit(f"no score or no parity: {found.answers}")
        agents = [line.split() for line in notes.read_text("utf-8").splitlines()]
    return Found(
        seconds,
        host_cpu,
        sum(float(cpu) for _, cpu in agents),
        host_peak,
        max(1024 * int(held) for held, _ in agents),
        len(agents),
    )


def row_bytes(side: int) -> int:
    """What the answer to one sample takes."""
    return side * side * CLASSES * np.dtype(np.float32).itemsize


def interpreter(folder: Path, notes: Path) -> Path:
    """This interpreter, in a file that notes how much memory and time it took."""
    path = folder / "python"
    path.write_text(_INTERPRETER.format(python=sys.executable, notes=str(notes)), "utf-8")
    path.chmod(0o755)
    return path


def write_samples(path: Path, side: int, count: int) -> Samples:
    """Scores of a coarse image, and the classes that a fine one should have, nearly."""
    random = np.random.default_rng(1)
    shape = (count, _INPUT_SIDE, _INPUT_SIDE, CLASSES)
    coarse = random.random(shape, dtype=np.float32)
    times = side // _INPUT_SIDE
    labels = coarse.argmax(axis=-1).astype(np.uint8).repeat(times, 1).repeat(times, 2)
    save_file({"0": coarse, "labels": labels}, path)
    return Samples(path, hashlib.sha256(path.read_bytes()).hexdigest(), count, "data")


def resize(side: int) -> bytes:
    """A model of one operator: 8 × 8 × 21 numbers become side × side × 21."""
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str, shape: list[int], kind: int, buffer: int = 0) -> Any:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, shape, kind, buffer
        return made

    options = schema.ResizeBilinearOptionsT()
    options.halfPixelCenters = True
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [], []
    size = np.array([side, side], np.int32).view(np.uint8)
    model.buffers = [schema.BufferT(), schema.BufferT(size)]
    operator = schema.OperatorT()
    resizing = schema.BuiltinOperator.RESIZE_BILINEAR
    operator.opcodeIndex = file.operator_code(model, resizing, 3)
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.ResizeBilinearOptions
    operator.builtinOptions = options
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("coarse", [1, _INPUT_SIDE, _INPUT_SIDE, CLASSES], schema.TensorType.FLOAT32),
        tensor("size", [2], schema.TensorType.INT32, buffer=1),
        tensor("scores", [1, side, side, CLASSES], schema.TensorType.FLOAT32),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    model.subgraphs = [graph]
    return file.dump(model)


def reset_peak() -> None:
    """Has the kernel forget what this process held before (proc(5): clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def peak() -> int:
    """Bytes that this process held at most."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
