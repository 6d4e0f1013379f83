"""What LiteRT's own profiler says of a file: microseconds of each operator within the whole model.

    python benchmarks/runtime_profile.py FILE [--without-xnnpack] [--seconds 1]

Prints JSON. The profiler belongs to LiteRT's CompiledModel; its Python package offers no way to it,
so the C functions of ``libLiteRt.so`` are called. Their structures are those of ai-edge-litert 2.3.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import time
from collections.abc import Callable
from ctypes import byref, c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np
from mobilebench.tflite.interpreter import Runner

_CPU = 1
_WRITE = 1
_OF_XNNPACK, _OF_BUILTIN_KERNELS = 0, 2
#: Kinds of events: a node of the file, and an operator of a delegate's own.
_NODE, _DELEGATES = 2, 8
_WARMUP_SECONDS = 0.3
_TYPE_BYTES = 256


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", c_char_p),
        ("kind", c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_int64 * 6),
        ("index", ctypes.c_uint64),
        ("subgraph", ctypes.c_uint64),
        ("source", c_int),
    )


class CompiledModel:
    """A file on the CPU with one thread, with noise as its input."""

    def __init__(self, file: Path, *, xnnpack: bool) -> None:
        self._lib = ctypes.CDLL(str(Path(ai_edge_litert.__file__).parent / "libLiteRt.so"))
        self._libc = ctypes.CDLL(None)
        self._libc.strdup.restype, self._libc.strdup.argtypes = c_void_p, [c_char_p]
        self._environment = self._made("LiteRtCreateEnvironment", c_int(0), None)
        # Everything is kept as long as the process lives, which is for this model.
        model = self._made(
            "LiteRtCreateModelFromFile", self._environment, c_char_p(bytes(file.absolute()))
        )
        options = self._made("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, c_int(_CPU))
        kernels = _OF_XNNPACK if xnnpack else _OF_BUILTIN_KERNELS
        self._add(options, "runtime_options_string", "enable_profiling = true\n")
        self._add(options, "xnnpack", f"num_threads = 1\nkernel_mode = {kernels}\n")
        self._model = self._made("LiteRtCreateCompiledModel", self._environment, model, options)
        self._profiler = self._made("LiteRtCompiledModelGetProfiler", self._model)
        self._signature = self._made("LiteRtGetModelSignature", model, c_size_t(0))
        self._inputs, self._outputs = self._buffers("Input"), self._buffers("Output")
        self._fill(file.read_bytes())

    def run(self) -> None:
        """One inference."""
        self._call(
            "LiteRtRunCompiledModel",
            self._model,
            c_size_t(0),
            c_size_t(len(self._inputs)),
            self._inputs,
            c_size_t(len(self._outputs)),
            self._outputs,
        )

    def profiled(self) -> list[tuple[str, int, bool, int]]:
        """One inference: of each operator its name, number, whether a delegate's, microseconds."""
        self._call("LiteRtResetProfiler", self._profiler)
        self._call("LiteRtStartProfiler", self._profiler)
        self.run()
        self._call("LiteRtStopProfiler", self._profiler)
        count = c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        events = (_Event * count.value)()
        self._call("LiteRtGetProfilerEvents", self._profiler, count, events)
        return [
            (event.tag.decode(), event.index, event.kind == _DELEGATES, event.elapsed_us)
            for event in events
            if event.kind in (_NODE, _DELEGATES)
        ]

    def _call(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._lib, name)(*arguments):
            raise SystemExit(f"{name} failed with status {status}")

    def _made(self, name: str, *arguments: Any) -> c_void_p:
        handle = c_void_p()
        self._call(name, *arguments, byref(handle))
        return handle

    def _add(self, options: c_void_p, identifier: str, toml: str) -> None:
        free = ctypes.cast(self._libc.free, c_void_p)
        text = c_void_p(self._libc.strdup(toml.encode()))
        made = self._made("LiteRtCreateOpaqueOptions", c_char_p(identifier.encode()), text, free)
        self._call("LiteRtAddOpaqueOptions", options, made)

    def _buffers(self, side: str) -> Any:
        count = c_size_t()
        self._call(f"LiteRtGetNumSignature{side}s", self._signature, byref(count))
        buffers = (c_void_p * count.value)()
        for number in range(count.value):
            tensor = self._made(
                f"LiteRtGetSignature{side}TensorByIndex", self._signature, c_size_t(number)
            )
            its_type = ctypes.create_string_buffer(_TYPE_BYTES)
            self._call("LiteRtGetRankedTensorType", tensor, its_type)
            needs = self._made(
                f"LiteRtGetCompiledModel{side}BufferRequirements",
                self._model,
                c_size_t(0),
                c_size_t(number),
            )
            buffers[number] = self._made(
                "LiteRtCreateManagedTensorBufferFromRequirements",
                self._environment,
                its_type,
                needs,
            )
        return buffers

    def _fill(self, content: bytes) -> None:
        runner = Runner(content, delegate=False)
        values = runner.feed(runner.noise(1, seed=0)[0])
        if len(values) != 1 or len(self._inputs) != 1:
            raise SystemExit("only models with one input are profiled here")
        data = np.ascontiguousarray(values[0]).tobytes()
        size = c_size_t()
        self._call("LiteRtGetTensorBufferPackedSize", c_void_p(self._inputs[0]), byref(size))
        if size.value != len(data):
            raise SystemExit(f"the input has {size.value} bytes, and its noise {len(data)}")
        address = c_void_p()
        buffer = c_void_p(self._inputs[0])
        self._call("LiteRtLockTensorBuffer", buffer, byref(address), c_int(_WRITE))
        ctypes.memmove(address, data, len(data))
        self._call("LiteRtUnlockTensorBuffer", buffer)


def _repeat(what: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        what()


def middle(values: np.ndarray) -> np.ndarray:
    """The mean of the middle half, over the first axis: the profiler counts whole microseconds."""
    ordered = np.sort(values, axis=0)
    cut = len(ordered) // 4
    return np.asarray(ordered[cut : len(ordered) - cut].mean(axis=0))


def main() -> None:
    """Prints each operator's name, number in the file and microseconds, in order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--without-xnnpack", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    model = CompiledModel(arguments.file, xnnpack=not arguments.without_xnnpack)
    _repeat(model.run, _WARMUP_SECONDS)
    found: list[list[tuple[str, int, bool, int]]] = []
    _repeat(lambda: found.append(model.profiled()), arguments.seconds)
    heads = [event[:3] for event in found[0]]
    times = middle(np.array([[event[3] for event in events] for events in found]))
    keys = ("name", "index", "delegates")
    rows = [
        {**dict(zip(keys, head, strict=True)), "microseconds": round(float(us), 3)}
        for head, us in zip(heads, times, strict=True)
    ]
    print(json.dumps({"inferences": len(found), "operators": rows}))


if __name__ == "__main__":
    main()
