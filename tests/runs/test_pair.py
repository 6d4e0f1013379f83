"""The suite of a gate, from two files or from a suite file."""

from pathlib import Path

import pytest
from mobilebench.errors import BadInputError
from mobilebench.runs import pair

from tests.support.gates import run_gate
from tests.support.models import BASELINE, CANDIDATE


def test_a_suite_with_one_variant(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n')
    with pytest.raises(BadInputError, match="one variant only"):
        run_gate(tmp_path, pair.suite_of_file(path))


def test_cpus_are_for_every_runtime_that_a_gate_has(tmp_path: Path) -> None:
    given = pair.settings(None, None, None, (), cpus=(0, 1))
    of_files = pair.suite_of_files(BASELINE, CANDIDATE, None, given)
    assert [(r.name, r.threads, r.cpus) for r in of_files.runtimes] == [("cpu-1", 1, (0, 1))]
    path = tmp_path / "suite.toml"
    model = f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n'
    path.write_text(model + '[[runtimes]]\nname = "a"\n[[runtimes]]\nname = "b"\nthreads = 2\n')
    of_file = pair.suite_of_file(path, given)
    assert [(r.name, r.threads, r.cpus) for r in of_file.runtimes] == [
        ("a", 1, (0, 1)),
        ("b", 2, (0, 1)),
    ]
    over = pair.suite_of_file(path, pair.settings(None, 2, None, (), cpus=(1,)))
    assert [(r.name, r.threads, r.cpus) for r in over.runtimes] == [("cpu-2", 2, (1,))]
