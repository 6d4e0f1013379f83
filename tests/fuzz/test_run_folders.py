"""Whatever somebody made of a run's folder: each command works with it, or says one sentence."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main

from tests.support.fuzz import corpus, fuzz
from tests.support.mutate import mutated_bytes, mutated_document

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"
RUNS = sorted(GOLDEN.iterdir())
FORMATS = ("html", "markdown", "csv", "latex", "json", "terminal")
#: PASS, FAIL, bad input, INCONCLUSIVE, INVALID; 70 is a fault of ours.
EXPECTED = range(5)


def damage(folder: Path, random: Random) -> None:
    """Changes a file or two of a run."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    read_most = [path for path in files if path.suffix in (".json", ".jsonl")]
    for _ in range(random.choice((1, 1, 2))):
        path = random.choice(files + read_most * 3)
        content = path.read_bytes()
        lines = content.splitlines(keepends=True) if path.suffix == ".jsonl" else [content]
        at = random.randrange(len(lines))
        lines[at] = _damaged(lines[at], path.suffix, random)
        path.write_bytes(b"".join(lines))


def _damaged(content: bytes, suffix: str, random: Random) -> bytes:
    if suffix in (".json", ".jsonl") and random.random() < 0.8:
        try:
            made = mutated_document(json.loads(content), random)
        except ValueError:  # damaged before
            return mutated_bytes(content, random)
        return json.dumps(made, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    return mutated_bytes(content, random)


def use(folder: Path, random: Random) -> None:
    """Each command that only reads a run, and those that would go on with it."""
    commands = [
        ["report", folder, "--format", random.choice(FORMATS)],
        ["compare", folder, GOLDEN / "measured"],
        ["gate", "--resume", folder],
        ["run", "--resume", folder],
        ["history", folder.parent],
    ]
    for command in random.sample(commands, 2):
        done = CliRunner().invoke(main, list(map(str, command)))
        assert done.exit_code in EXPECTED, (command, done.stderr, done.exception)
        for text in (done.stdout, done.stderr):
            assert "Traceback" not in text
            assert "\x1b" not in text
            assert "\u202e" not in text
        assert len(done.stderr) < 20_000


@pytest.mark.parametrize("path", corpus("runs"), ids=lambda path: path.name)
def test_folders_that_once_broke_something(path: Path, tmp_path: Path) -> None:
    """Each is what differs from the golden run whose name it has before the dot."""
    folder = tmp_path / "run"
    shutil.copytree(GOLDEN / path.name.partition(".")[0], folder)
    shutil.copytree(path, folder, dirs_exist_ok=True)
    for seed in range(6):
        use(folder, Random(seed))


@fuzz(12)
def test_any_folder_is_reported_or_refused(number: int) -> None:
    random = Random(number)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "run")
        shutil.copytree(random.choice(RUNS), folder)
        damage(folder, random)
        use(folder, random)
