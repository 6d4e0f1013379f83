"""The house keeps its rules: who imports whom, and that every test can fail."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
HOST = ROOT / "harness" / "mobilebench"
AGENT = ROOT / "device_agent" / "mobilebench_agent"

#: What makes a test fail, beside ``assert``.
CHECKS = {
    "raises", "warns", "fail", "assert_allclose", "assert_array_equal",
    "assert_outcomes", "fnmatch_lines",
}  # fmt: skip


def modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


def imports(tree: ast.Module) -> set[str]:
    """The modules and names that a module imports, with their packages, wherever it does so."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def packages(folder: Path) -> set[str]:
    """The top-level packages that the modules in a folder import."""
    return {name.split(".")[0] for _, tree in modules(folder) for name in imports(tree)}


def test_rooms_import_only_what_stands_below_them() -> None:
    # In a process of its own: it sets up logging anew, which closes the streams that the handlers
    # of TensorFlow, loaded by other tests, hold.
    command = Path(sys.executable).with_name("lint-imports")
    lint = subprocess.run(
        [command, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("mobilebench", "mobilebench_agent", cache_dir=None)
    order = TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    order.prepare()  # raises CycleError with the circle
    assert order.is_active()


def test_the_agent_imports_python_and_numpy_alone() -> None:
    """A runtime, zstandard and, without /proc, psutil it imports by name, if they are there."""
    assert packages(AGENT) - sys.stdlib_module_names == {"numpy", "mobilebench_agent"}


@pytest.mark.parametrize("folder", [HOST, AGENT], ids=["host", "agent"])
def test_what_is_installed_imports_nothing_that_is_not(folder: Path) -> None:
    left_behind = {"tests", "app_build", "harness", "device_agent", "android_app", "benchmarks"}
    assert packages(folder) & left_behind == set()


def test_no_test_imports_from_another_test() -> None:
    found = [
        f"{path.relative_to(TESTS)}: {name}"
        for path, tree in modules(TESTS)
        for name in sorted(imports(tree))
        if name.startswith("tests.")
        and any(part == "conftest" or part.startswith("test_") for part in name.split("."))
    ]
    assert found == []


def test_every_test_can_fail() -> None:
    """Each has an assertion, or calls a function of its file or of the shared ones that has."""
    trees = dict(modules(TESTS))
    shared = set(CHECKS)
    for path, tree in trees.items():
        if path.parent.name in ("support", "phone"):
            shared |= checking(tree, CHECKS)
    idle = []
    for path, tree in trees.items():
        known = {name.split(".")[-1] for name in imports(tree) if name.startswith("tests.")}
        found = checking(tree, CHECKS | (known & shared))
        idle += [
            f"{path.relative_to(TESTS)}: {function.name}"
            for function in functions(tree)
            if function.name.startswith("test_") and function.name not in found
        ]
    assert idle == []


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def checking(tree: ast.Module, known: set[str]) -> set[str]:
    """These names, and those of a module's functions that can fail, themselves or by a call."""
    found = set(known)
    while more := {f.name for f in functions(tree) if f.name not in found and can_fail(f, found)}:
        found |= more
    return found


def can_fail(function: ast.FunctionDef, known: set[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in known:
                return True
    return False


def test_percentages_are_written_in_one_way() -> None:
    """``95 %``, as :func:`mobilebench.text.percent` has it: Python's own format has no space."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules(HOST)
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr)
        if ast.unparse(node.format_spec).rstrip("'\"").endswith("%")
    ]
    assert found == []
