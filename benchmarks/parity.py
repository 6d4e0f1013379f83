"""Parity's false alarms: right files on right engines, and faults that are planted in them.

    python benchmarks/parity.py                      the files of the cache, at most 60
    python benchmarks/parity.py --files DIR --most 20

Each file answers 32 samples of seeded noise on this machine's LiteRT with XNNPACK (one thread and
two) and on the app's own TensorFlow Lite for x86-64, on a JVM, with XNNPACK and without; the
answers are held against the file's reference answers, as a run holds them. Then the weights of its
largest layer are shuffled, and the shuffled file's answers are held against those of the file. The
files are what recipes made on this machine: a run of a suite fills the cache.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import heading
from mobilebench.cache import cache_folder
from mobilebench.devices.base import TrialError
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import MobileBenchError
from mobilebench.quality.parity import differs, tolerance
from mobilebench.runs import answers
from mobilebench.runs.debug_samples import samples_for
from mobilebench.runs.references import reference
from mobilebench.tflite import file, interface, precision
from mobilebench_agent.contract import PROTOCOL_VERSION, Job

sys.path.insert(0, str(Path(__file__).parents[1] / "android_app" / "tools"))

_TIMEOUT_SECONDS = 300.0
_LARGEST_BYTES = 8_000_000


@dataclass(frozen=True)
class Engine:
    """Where a file answers: a machine, with so many threads, with the delegate or without."""

    name: str
    machine: LocalDevice
    threads: int = 1
    xnnpack: bool = True


class Desktop(LocalDevice):
    """The app's core and engine on a JVM, spoken to as any agent."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__("app", None, cache_folder())
        self._app = tuple(command)

    def _command(self) -> tuple[str, ...]:
        return self._app


def engines(machine: LocalDevice, scratch: Path) -> list[Engine]:
    """The engines of this machine."""
    from app_build.desktop import desktop_command
    from app_build.errors import BuildError

    found = [
        Engine("LiteRT, XNNPACK, 1 thread", machine),
        Engine("LiteRT, XNNPACK, 2 threads", machine, threads=2),
    ]
    try:
        app = Desktop(desktop_command(scratch / "desktop"))
    except BuildError as error:
        print(f"without the app's engine: {error}")
        return found
    return [
        *found,
        Engine("app's TFLite, XNNPACK", app),
        Engine("app's TFLite, plain", app, xnnpack=False),
    ]


def files(folder: Path | None, most: int) -> Iterator[tuple[str, bytes]]:
    """Recipe and content of some files, as many of each recipe as there is room for."""
    if folder is not None:
        found = {path: path.stem for path in sorted(folder.glob("**/*.tflite"))}
    else:
        found = {}
        for line in sorted((cache_folder() / "artifacts").glob("*.json")):
            made = json.loads(line.read_text("utf-8"))
            steps = [str(step.get("step", "")) for step in made["steps"]]
            path = cache_folder() / "tflite" / f"{made['sha256']}.tflite"
            if path.is_file() and path.stat().st_size <= _LARGEST_BYTES:
                found[path] = " → ".join(filter(None, steps)) or "float32"
    groups = collections.defaultdict(list)
    for path, recipe in found.items():
        groups[recipe].append(path)
    order = [
        (recipe, paths[turn])
        for turn in range(max(map(len, groups.values()), default=0))
        for recipe, paths in sorted(groups.items())
        if turn < len(paths)
    ]
    for recipe, path in order[:most]:
        yield recipe, path.read_bytes()


def shuffled(content: bytes) -> bytes:
    """The same file with the bytes of its largest constant in another order, a weight each."""
    model = file.load(content)
    largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
    data = np.array(largest.data, np.uint8)
    width = 4 if len(data) % 4 == 0 else 1
    rows = data.reshape(-1, width)
    largest.data = np.random.default_rng(0).permutation(rows).reshape(-1)
    return file.dump(model)


def parity(
    host: LocalDevice, engine: Engine, content: bytes, against: bytes, scratch: Path
) -> tuple[str, float]:
    """``right``, ``differs`` or ``refused``, and the least ratio in dB.

    Args:
        host: where reference answers are made.
        engine: where the file answers.
        content: the file.
        against: the file whose reference answers its own are held against.
        scratch: where files are kept meanwhile.

    Raises:
        TrialError: this machine has no reference answers.
    """
    against, samples = samples_for(against, "file", None, scratch)
    content, _ = samples_for(content, "file", None, scratch)
    paths = []
    for some in (content, against):
        path = scratch / f"{hashlib.sha256(some).hexdigest()}.tflite"
        path.write_bytes(some)
        paths.append(path)
    given, wanted = paths
    taken = interface.read(against, "file")
    expected = reference(host, "benchmark", wanted, wanted.stem, taken, samples, scratch)
    if expected.reason:
        raise TrialError("outputs_unsupported", expected.reason)
    job = Job(
        PROTOCOL_VERSION,
        "parity",
        "latency",  # until the samples are sent
        str(given),
        given.stem,
        threads=engine.threads,
        xnnpack=engine.xnnpack,
    )
    evaluation = answers.Evaluation(taken, samples, expected)
    try:
        found = answers.ask(engine.machine, job, evaluation, lambda _: None, _TIMEOUT_SECONDS, 0)
    except TrialError as error:
        return f"refused: {error.code}", float("nan")
    if not found.answers.parity:
        return f"refused: {found.answers.parity_reason}", float("nan")
    of_file = precision.read(against, "file")
    allowed = tolerance(of_file.arithmetic, "cpu")
    steps = (*of_file.steps, *[0.0] * len(found.answers.parity))
    wrong = any(differs(o, allowed, step=s) for o, s in zip(found.answers.parity, steps))  # noqa: B905
    least = min(output.snr_db for output in found.answers.parity)
    return "differs" if wrong else "right", least


def main() -> None:
    """Prints a table of right files, one of planted faults, and every exception."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=Path, help="a folder of .tflite files, not the cache's")
    parser.add_argument("--most", type=int, default=60, help="files at most")
    arguments = parser.parse_args()
    heading("parity")
    host = LocalDevice("this machine", None, cache_folder())
    counts: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    least: dict[tuple[str, str], float] = {}
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        all_engines = engines(host, scratch)
        for number, (recipe, content) in enumerate(files(arguments.files, arguments.most), 1):
            print(f"{number}: {recipe}", file=sys.stderr, flush=True)
            try:
                arithmetic = precision.read(content, recipe).arithmetic
                for engine in all_engines:
                    what, ratio = parity(host, engine, content, content, scratch)
                    place = (engine.name, arithmetic)
                    counts[place][what.partition(":")[0]] += 1
                    if what == "right":
                        least[place] = min(least.get(place, 999.0), ratio)
                    else:
                        notes.append(f"{recipe} on {engine.name}: {what} ({ratio:.1f} dB)")
                what, ratio = parity(host, all_engines[0], shuffled(content), content, scratch)
                counts["planted: shuffled weights", arithmetic][what.partition(":")[0]] += 1
                if what != "differs":
                    notes.append(f"{recipe}, shuffled: {what} ({ratio:.1f} dB)")
            except (TrialError, MobileBenchError) as error:
                notes.append(f"{recipe}: left out: {error}")
    print("\n| engine | arithmetic | files | right | differs | refused | least ratio, dB |")
    print("|---|---|---|---|---|---|---|")
    for (name, arithmetic), found in sorted(counts.items()):
        shown = f"{least[name, arithmetic]:.1f}" if (name, arithmetic) in least else "—"
        row = [found[what] for what in ("right", "differs", "refused")]
        print(f"| {name} | {arithmetic} | {sum(row)} | {' | '.join(map(str, row))} | {shown} |")
    print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
