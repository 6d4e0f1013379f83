"""Writes the made-up runs below ``runs/``, in format 1: ``python tests/golden/make_runs.py``.

It imports nothing of the project on purpose: a stored run is a file that somebody has, and what
wrote it is long gone. ``README.md`` says what each run is for. All numbers come from seeds; nothing
here was measured.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

RUNS = Path(__file__).parent / "runs"
SECOND = 10**9

Metrics = Sequence[dict[str, Any]]
#: A model and its recipe, or a device and its runtime.
Pair = tuple[str, str]


@dataclass
class Run:
    """A run under way: its trials and their times, until :meth:`write`."""

    name: str
    created: datetime
    seed: int
    devices: list[dict[str, Any]]
    runtimes: list[dict[str, Any]]
    variants: dict[Pair, int]  # bytes
    labelled: int = 0
    protocol: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    command: str = "run"
    build: str = ""  # of its models: another one has other hashes

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.run = f"{self.created:%Y%m%dT%H%M%SZ}-{self.name}"
        self.lines: list[dict[str, Any]] = []
        self.plan: list[dict[str, Any]] = []
        self.times: list[tuple[str, Any, Any, Any]] = []
        self._now = self.created

    def trial(
        self,
        kind: str,
        block: int,
        variant: Pair,
        device: str,
        runtime: str,
        metrics: Metrics = (),
        samples: Any = None,
        warmup: Any = (),
        starts: Any = None,
        attempt: int = 1,
        **rest: Any,
    ) -> None:
        """Adds one attempt at a trial; one with ``attempt`` 2 or more repeats the last trial."""
        model, recipe = variant
        if attempt == 1:
            number = sum(trial["device"] == device for trial in self.plan)
            planned = {
                "trial": f"{self.run}.{device}.{number:05}", "kind": kind, "block": block,
                "device": device, "model": model, "recipe": recipe, "runtime": runtime,
            }  # fmt: skip
            self.plan.append(planned)
        planned = self.plan[-1]
        self._now += timedelta(seconds=1.5)
        if samples is not None:
            name = planned["trial"] + ("" if attempt == 1 else f"~{attempt}")
            self.times.append((name, np.asarray(warmup, dtype=np.int64), samples, starts))
        line = {
            **planned, "artifact": sha256(self.name + self.build, model, recipe), "state": "valid",
            "started": self._now.isoformat(timespec="milliseconds"), "seconds": 1.25, "code": "",
            "reason": "", "samples": 0 if samples is None else len(samples),
            "metrics": list(metrics), "predictions": [], "delegation": {}, "windows": [],
            "power": [], "conditions": {}, "traces": [], "warnings": [], "attempt": attempt, **rest,
        }  # fmt: skip
        self.lines.append(line)

    def lognormal(self, centre: float, n: int, spread: float = 0.02) -> Any:
        """Times of n inferences around a centre (ns), some per mille of them far out."""
        trial = centre * self.random.normal(1, spread / 4)
        found = trial * self.random.lognormal(0, spread, n)
        found[self.random.random(n) < 0.01] *= 1.7
        return found.astype(np.int64)

    def write(self, folder: Path, state: str = "finished") -> None:
        """Writes the folder, in the place of what is there."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        manifest = json.dumps(self._manifest(state), indent=1, ensure_ascii=False)
        (folder / "run.json").write_text(f"{manifest}\n", "utf-8")
        lines = (json.dumps(x, separators=(",", ":"), ensure_ascii=False) for x in self.lines)
        (folder / "trials.jsonl").write_text("".join(f"{x}\n" for x in lines), "utf-8")
        pq.write_table(self._table(), folder / "samples.parquet", compression="zstd")

    def _manifest(self, state: str) -> dict[str, Any]:
        baselines: dict[str, str] = {}
        recipes: dict[str, list[str]] = {}
        for model, recipe in self.variants:
            baselines.setdefault(model, recipe)
            recipes.setdefault(model, []).append(recipe)
        protocol = {
            "blocks": 6, "warmup_runs": 1, "warmup_seconds": 0.5, "runs": 50, "seconds": 1.0,
            "max_seconds": 150.0, "timeout_seconds": 300.0, "cooldown_celsius": None,
            "cooldown_seconds": 600.0, "sustained_minutes": None, "energy": False,
            "energy_windows": 10, "energy_seconds": 2.0, **self.protocol,
        }  # fmt: skip
        data = "made-up.npz" if self.labelled else None
        models = [
            {"name": model, "source": f"{model}.tflite", "data": data, "student": None,
             "teachers": [], "recipes": [{"name": baseline, "recipe": "as_is"}],
             "ready": {recipe: f"{recipe}.tflite" for recipe in recipes[model][1:]},
             "min_accuracy": None, "max_accuracy_loss": None}
            for model, baseline in baselines.items()
        ]  # fmt: skip
        return {
            "format": 1,
            "run": self.run,
            "state": state,
            "created": self.created.isoformat(timespec="seconds"),
            "finished": self._now.isoformat(timespec="seconds") if state == "finished" else None,
            "suite": {
                "name": self.name, "seed": self.seed, "protocol": protocol, "recipes": [],
                "models": models, "runtimes": self.runtimes,
                "devices": [
                    {"name": device["name"], "kind": device["kind"],
                     "address": "" if device["kind"] == "local" else device["name"],
                     "python": None, "allow": [], "executor": "agent", "binary": None,
                     "unplugged": False, "power_counter": "", "battery_current": None}
                    for device in self.devices
                ],
            },
            "seed": self.seed,
            "command": ["mobilebench", self.command, f"{self.name}.toml"],
            "versions": {"python": "3.11.7", "mobilebench": "0.1.0", "numpy": "2.4.6"},
            "host": {"system": "Linux 6.1", "machine": "x86_64", "cpu": "a made-up processor",
                     "cores": 8, "memory_bytes": 16 * 2**30},
            "devices": self.devices,
            "runtimes": self.runtimes,
            "models": [
                {"name": model, "source": f"{model}.tflite", "data": data, "baseline": baseline,
                 "min_accuracy": None, "max_accuracy_loss": None}
                for model, baseline in baselines.items()
            ],
            "artifacts": [self._artifact(*key, size) for key, size in self.variants.items()],
            "failures": [],
            "plan": self.plan,
            "warnings": [],
            **self.more,
        }  # fmt: skip

    def _artifact(self, model: str, recipe: str, size: int) -> dict[str, Any]:
        data = {"name": "made-up.npz", "sha256": sha256("data"), "count": self.labelled}
        hashed = sha256(self.name + self.build, model, recipe)
        return {
            "model": model, "recipe": recipe, "sha256": hashed, "bytes": size,
            "gzip_bytes": round(0.91 * size), "zstd_bytes": round(0.89 * size),
            "xz_bytes": round(0.86 * size), "dataset": data if self.labelled else None,
            "warnings": [],
            "provenance": {
                "source": f"{recipe}.tflite", "source_sha256": hashed, "seed": self.seed,
                "recipe": "as_is",
                "steps": [{"step": "convert", "settings": {}, "bytes": size, "nodes": 12,
                           "nodes_delegated": 12, "nodes_left": {}, "zeros_in_file": 0.0}],
            },
        }  # fmt: skip

    def _table(self) -> pa.Table:
        columns: dict[str, list[Any]] = {"trial": [], "index": [], "nanoseconds": [], "start": []}
        for name, warmup, samples, starts in self.times:
            before, timed = len(warmup), len(samples)
            columns["trial"] += [name] * (before + timed)
            columns["index"] += range(-before, timed)
            columns["nanoseconds"] += [*map(int, warmup), *map(int, samples)]
            timed_starts = [None] * timed if starts is None else map(int, starts)
            columns["start"] += [*([None] * before), *timed_starts]
        return pa.table(
            [
                pa.array(columns["trial"]).dictionary_encode(),
                pa.array(columns["index"], pa.int32()),
                pa.array(columns["nanoseconds"], pa.int64()),
                pa.array(columns["start"], pa.int64()),
            ],
            names=list(columns),
        )


def sha256(*parts: str) -> str:
    """The hash of a file that never was."""
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def device(name: str, kind: str, virtual: bool = False, **info: Any) -> dict[str, Any]:
    """What ``run.json`` says of a device."""
    return {
        "name": name, "kind": kind, "agent": "0.1.0",
        "runtime": "ai-edge-litert" if kind == "local" else "tflite",
        "runtime_version": "2.3.0" if kind == "local" else "2.16.1", "virtual": virtual,
        "info": info, "executor": "agent",
    }  # fmt: skip


def runtime(name: str, threads: int, xnnpack: bool = True) -> dict[str, Any]:
    """What ``run.json`` says of a runtime."""
    return {"name": name, "accelerator": "cpu", "threads": threads, "xnnpack": xnnpack,
            "packed": None, "cpus": []}  # fmt: skip


def metric(name: str, unit: str, value: float, n: int = 1) -> dict[str, Any]:
    """A metric that was read."""
    return {"name": name, "unit": unit, "source": "made up", "value": value, "resolution": 1,
            "n": n, "validity": "valid", "reason": ""}  # fmt: skip


def unavailable(name: str, unit: str, reason: str) -> dict[str, Any]:
    """A metric that could not be read."""
    return {"name": name, "unit": unit, "source": "made up", "value": None, "resolution": None,
            "n": 0, "validity": "unavailable", "reason": reason}  # fmt: skip


def memory(size: float, pss: bool = True) -> Metrics:
    """The metrics of a memory trial around so many bytes."""
    page = 4096
    found = {"memory_peak": 1.3, "memory_anonymous": 0.4, "memory_file": 0.6}
    metrics = [metric(k, "B", round(size * v / page) * page) for k, v in found.items()]
    if pss:
        return [*metrics, metric("memory_pss", "B", round(size / page) * page)]
    return [*metrics, unavailable("memory_pss", "B", "smaps_rollup: permission denied")]


def clocks(current: float, limit: float = 2.8e9, celsius: float = 31.5, load: float = 0.05) -> Any:
    """What an agent tells of a phone's clocks, heat and load around a trial, and its CPUs."""
    metrics = [
        *(
            metric(f"{moment}_cpu4_frequency_{what}", "Hz", value)
            for moment in ("before", "after")
            for what, value in (
                ("current", current), ("limit", limit), ("hardware_limit", 2.8e9),
            )
        ),
        metric("after_battery_temperature", "°C", celsius),
        metric("cpu_load_other", "CPUs", load),
        metric("cpu_load_stolen", "CPUs", 0.0),
        metric("last_cpu", "1", 5),
    ]  # fmt: skip
    return metrics, {"cpus": [4, 5, 6, 7], "governors": {"4": "schedutil"}}


def answers(random: np.random.Generator, labels: Any, wrong: int) -> dict[str, Any]:
    """The result of an accuracy trial with so many wrong answers."""
    predictions = labels.copy()
    chosen = random.permutation(len(labels))[:wrong]
    predictions[chosen] = (labels[chosen] + 1) % 10
    share = 1 - wrong / len(labels)
    return {
        "metrics": [metric("accuracy_top1", "1", share, len(labels))],
        "predictions": predictions.tolist(),
    }


def energy(random: np.random.Generator, joules: float, name: str = "battery") -> dict[str, Any]:
    """The windows and readings of an energy trial of so many joules an inference, above 1.2 W."""
    windows, times, values, total, now = [], [], [], 0.0, SECOND
    for _ in range(10):
        for load in random.permutation([False, True]):
            count = 40 if load else 0
            windows.append({"load": bool(load), "start_ns": now, "end_ns": now + 2 * SECOND,
                            "inferences": count})  # fmt: skip
            spent = 2 * 1.2 * random.normal(1, 0.003) + count * joules * random.normal(1, 0.01)
            for moment, more in ((now, spent), (now + 2 * SECOND, 0.3)):
                times.append(moment)
                values.append(round(1e6 * total))
                total += more
            now += 2 * SECOND + SECOND // 4
    series = {"name": name, "quantity": "energy", "unit": "µJ", "source": "a made-up counter",
              "resolution": 1, "maximum": None, "downstream": True, "times_ns": times,
              "values": values}  # fmt: skip
    return {"windows": windows, "power": [series]}


ALL_DELEGATED = {"nodes": 12, "delegated": 12, "partitions": 1, "left": {}}
PARTLY = {"nodes": 12, "delegated": 9, "partitions": 2, "left": {"RESIZE_BILINEAR": 3}}


def phones() -> None:
    """Two devices, one virtual: energy, and attempts that failed, were invalid or repeated."""
    recipes = {"float32": (1.0, 14_000_000, 8), "int8": (0.38, 3_900_000, 11),
               "prune(0.8) → int8": (0.39, 3_900_000, 30)}  # fmt: skip
    pixel = device("pixel", "android", model="Pixel 8", android="14", soc="Tensor G3", cores=9)
    emulator = device("emulator-5554", "android", True, model="sdk_gphone64", android="15", cores=4)
    run = Run(
        "phones", datetime(2026, 5, 4, 9, 30, tzinfo=UTC), 11, [pixel, emulator],
        [runtime("cpu-1", 1), runtime("cpu-4", 4)],
        {("net", recipe): size for recipe, (_, size, _) in recipes.items()}, 500,
        {"energy": True},
        {"warnings": ["emulator-5554 was busy with an update when the run began."]},
    )  # fmt: skip
    labels = run.random.integers(0, 10, 500)
    for name, factor, blocks in (("pixel", 1.0, 6), ("emulator-5554", 3.1, 3)):
        for threads, speed in ((1, 1.0), (4, 0.4)):
            place = (name, f"cpu-{threads}")
            for recipe, (relative, size, wrong) in recipes.items():
                key = ("net", recipe)
                run.trial("memory", 0, key, *place, memory(1.4 * size, name == "pixel"))
                if name == "pixel" or threads == 1:
                    run.trial("accuracy", 0, key, *place, **answers(run.random, labels, wrong))
                _latency(run, key, place, blocks, 21.5e6 * factor * speed * relative)
                if name == "pixel" and threads == 1:
                    found = energy(run.random, 0.021 * relative)
                    run.trial("energy", 0, key, *place, **found)
                elif threads == 1:
                    reason = "an emulator's battery is made up"
                    metrics = [unavailable("energy_per_inference", "J", reason)]
                    run.trial("energy", 0, key, *place, metrics)
    run.write(RUNS / "phones")


def _latency(run: Run, key: Pair, place: Pair, blocks: int, ns: float) -> None:
    """The latency trials of one variant, and what befell some of them."""
    left = PARTLY if key[1] == "int8" and place[1] == "cpu-4" else ALL_DELEGATED
    for block in range(blocks):
        metrics, conditions = clocks(2.7e9)
        rest: dict[str, Any] = {"delegation": left, "conditions": conditions}
        samples = run.lognormal(ns, 24)
        warmup = run.lognormal(1.02 * ns, 6)
        times = [metric("initialization_time", "ns", round(9 * ns)),
                 metric("first_inference", "ns", round(2.6 * ns))]  # fmt: skip
        befell = (place, key[1], block)
        if befell == (("pixel", "cpu-1"), "float32", 2):
            # Invalid once, and valid when it was repeated.
            slow, _ = clocks(1.6e9, 1.9e9, 41.0)
            run.trial(
                "latency", block, key, *place, [*times, *slow], run.lognormal(1.6 * ns, 24),
                warmup, state="invalid", code="capped",
                reason="cpu4 is limited to 1.90 GHz of 2.80 GHz", **rest,
            )  # fmt: skip
            run.trial(
                "latency", block, key, *place, [*times, *metrics], samples, warmup,
                attempt=2, **rest,
            )  # fmt: skip
        elif befell == (("pixel", "cpu-4"), "int8", 4):
            # Invalid for good.
            for attempt in (1, 2, 3):
                run.trial(
                    "latency", block, key, *place, [*times, *metrics], samples, warmup,
                    attempt=attempt, state="invalid", code="plug_changed",
                    reason="it was plugged in meanwhile", **rest,
                )  # fmt: skip
        elif befell == (("emulator-5554", "cpu-4"), "prune(0.8) → int8", 1):
            run.trial(
                "latency", block, key, *place, state="failed", code="app_crashed",
                reason="the app ended by signal 11 (SIGSEGV)",
            )  # fmt: skip
        else:
            if place == ("emulator-5554", "cpu-1"):
                metrics, _ = clocks(2.7e9, load=3.4)
            run.trial("latency", block, key, *place, [*times, *metrics], samples, warmup, **rest)


def sustained() -> None:
    """Six minutes of sustained inference: one variant throttles, the other does not."""
    run = Run(
        "sustained", datetime(2026, 5, 5, 14, tzinfo=UTC), 12,
        [device("pixel", "android", model="Pixel 8", android="14", soc="Tensor G3", cores=9)],
        [runtime("cpu-4", 4)], {("net", "float32"): 14_000_000, ("net", "int8"): 3_900_000},
        protocol={"blocks": 1, "sustained_minutes": 6.0},
    )  # fmt: skip
    for recipe, size in (("float32", 14e6), ("int8", 3.9e6)):
        run.trial("memory", 0, ("net", recipe), "pixel", "cpu-4", memory(1.4 * size))
    for recipe, ns, hot in (("float32", 400e6, 0.3), ("int8", 300e6, 0.02)):
        samples, starts, now = [], [], 0
        while now < 360 * SECOND:
            heat = hot / (1 + np.exp(-(now / SECOND - 150) / 20))
            samples.append(int(ns * (1 + heat) * run.random.lognormal(0, 0.01)))
            starts.append(now)
            now += samples[-1] + 50_000
        moments = list(range(0, 360 * SECOND, 30 * SECOND))
        rise = [1 - np.exp(-t / SECOND / 120) for t in moments]
        metrics, conditions = clocks(2.8e9 / (1 + hot), celsius=43.0)
        run.trial(
            "latency", 0, ("net", recipe), "pixel", "cpu-4", metrics,
            np.array(samples), run.lognormal(ns, 3), np.array(starts),
            conditions=conditions, delegation=ALL_DELEGATED,
            warnings=["at its end thermal status 2"] if hot > 0.1 else [],
            traces=[
                {"name": "battery_temperature", "unit": "°C", "source": "made up",
                 "resolution": 0.1, "times_ns": moments,
                 "values": [round(30 + 13 * r, 1) for r in rise], "reason": ""},
                {"name": "cpu4_frequency_current", "unit": "Hz", "source": "made up",
                 "resolution": 1, "times_ns": moments,
                 "values": [round(2.8e9 / (1 + hot * r)) for r in rise], "reason": ""},
                {"name": "zone3_temperature", "unit": "°C", "source": "made up",
                 "resolution": None, "times_ns": [], "values": [], "reason": "permission denied"},
            ],
        )  # fmt: skip
    run.write(RUNS / "sustained")


#: The policy of a gate without a file, and when it looks.
POLICY: dict[str, dict[str, Any]] = {
    "latency": {"direction": "lower", "margin": 0.03, "missing": "inconclusive"},
    "memory": {"direction": "lower", "margin": 0.05, "missing": "inconclusive", "floor": 262144},
    "energy": {"direction": "lower", "margin": 0.05, "missing": "ignore"},
    "size": {"direction": "lower", "margin": 0.01, "missing": "inconclusive"},
    "download": {"direction": "lower", "margin": 0.01, "missing": "ignore"},
    "accuracy": {"direction": "higher", "margin": 0.01, "missing": "ignore"},
    "delegation": {"direction": "lower", "margin": 0.0, "missing": "ignore"},
}
LOOKS = [{"blocks": 7, "alpha": 0.02}, {"blocks": 14, "alpha": 0.03}]


def gate(
    name: str,
    day: int,
    blocks: int,
    slower: Callable[[int], float],
    spread: float,
    noise: dict[str, float] | None = None,
    failing: int | None = None,
    load: float = 0.05,
) -> None:
    """A gate of two files.

    Args:
        name: of the run.
        day: of May.
        blocks: 7 where the first look decided, else 14.
        slower: of each block, the candidate's latency over the baseline's.
        spread: of the trials' medians.
        noise: what a calibration found.
        failing: the block in which the candidate's latency trial fails.
        load: of other processes, in CPUs.
    """
    place = {"model": "net", "device": "pixel", "runtime": "cpu-4", "baseline": "baseline",
             "candidate": "candidate"}  # fmt: skip
    policy = {metric: {"enabled": True, **rest} for metric, rest in POLICY.items()}
    found = [] if noise is None else [{"place": place, "noise": noise}]
    run = Run(
        name, datetime(2026, 5, day, 12, tzinfo=UTC), 20 + day,
        [device("pixel", "android", model="Pixel 8", android="14", soc="Tensor G3", cores=9)],
        [runtime("cpu-4", 4)],
        {("net", "baseline"): 3_900_000, ("net", "candidate"): 3_880_000}, 200,
        more={"gate": {"policy": policy, "looks": LOOKS, "places": [place], "noise": found}},
        command="gate",
    )  # fmt: skip
    where = ("pixel", "cpu-4")
    baseline, candidate = ("net", "baseline"), ("net", "candidate")
    metrics, conditions = clocks(2.7e9, load=load)
    run.trial("warmup", 0, baseline, *where, metrics, run.lognormal(3.2e6, 20),
              run.lognormal(3.3e6, 10))  # fmt: skip
    labels = run.random.integers(0, 10, 200)
    for variant in (baseline, candidate):
        run.trial("accuracy", 0, variant, *where, **answers(run.random, labels, 6))
    for block in range(blocks):
        shared = run.random.normal(1, 0.004)
        for variant in (baseline, candidate):
            relative = (slower(block) if variant == candidate else 1.0) * shared
            ns = 3.2e6 * relative * run.random.lognormal(0, spread)
            if variant == candidate and block == failing:
                run.trial("latency", block, variant, *where, state="failed", code="timeout",
                          reason="no answer within 300 s")  # fmt: skip
            else:
                run.trial(
                    "latency", block, variant, *where, metrics, run.lognormal(ns, 12),
                    run.lognormal(ns, 4), delegation=ALL_DELEGATED, conditions=conditions,
                )  # fmt: skip
        for variant in (baseline, candidate) if block < 7 else ():
            run.trial("memory", block, variant, *where, memory(5e6 * run.random.normal(1, 0.004)),
                      delegation=ALL_DELEGATED)  # fmt: skip
    run.write(RUNS / name)


def gates() -> None:
    """A gate of each verdict that the measured one does not have."""
    noise = {"latency": 0.018, "memory": 0.004}
    gate("gate-pass", 6, 7, lambda _: 0.98, 0.002, noise)
    gate("gate-inconclusive", 7, 14, lambda _: 1.03, 0.15, load=3.2)
    gate("gate-invalid", 8, 7, lambda _: 1.0, 0.002, failing=3)


def nights() -> Iterator[tuple[int, float, dict[str, Any]]]:
    """Twelve nights of one suite: night, latency over the first's, changes to its phone."""
    rng = np.random.default_rng(3)
    for night in range(12):
        step = 1.09 if night >= 7 else 1.0
        yield night, step * rng.normal(1, 0.003), {"runtime_version": "2.15.0"} if not night else {}


def nightly() -> None:
    """Runs of one suite: slower from the eighth on, one of another runtime, one interrupted."""
    folder = RUNS / "nightly"
    shutil.rmtree(folder, ignore_errors=True)
    for night, relative, changes in nights():
        phone = device("pixel", "android", model="Pixel 8", android="14", soc="Tensor G3", cores=9)
        run = Run(
            "nightly", datetime(2026, 6, 1, 2, tzinfo=UTC) + timedelta(days=night), 40 + night,
            [{**phone, **changes}], [runtime("cpu-4", 4)],
            {("net", "float32"): 14_000_000, ("net", "int8"): 3_900_000 + 40_000 * (night >= 7)},
            100, build=" after" if night >= 7 else "",
        )  # fmt: skip
        labels = np.random.default_rng(5).integers(0, 10, 100)
        for recipe, ns, wrong in (("float32", 8.6e6, 3), ("int8", 3.2e6 * relative, 4)):
            key = ("net", recipe)
            run.trial("memory", 0, key, "pixel", "cpu-4", memory(ns * run.random.normal(1, 0.01)))
            run.trial("accuracy", 0, key, "pixel", "cpu-4", **answers(run.random, labels, wrong))
            for block in range(6):
                run.trial("latency", block, key, "pixel", "cpu-4", (), run.lognormal(ns, 8, 0.01))
        if night == 5:
            first_lost = run.lines[9]["trial"]
            run.lines = run.lines[:9]
            run.times = [times for times in run.times if times[0] < first_lost]
        run.write(folder / run.run, "interrupted" if night == 5 else "finished")


if __name__ == "__main__":
    phones()
    sustained()
    gates()
    nightly()
