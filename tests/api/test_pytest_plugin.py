"""The plugin, in tests of its own that run under pytest as a user's do."""

import subprocess
import sys
from importlib import metadata

import pytest

from tests.support.models import MODELS

pytest_plugins = ["pytester"]

BASELINE, CANDIDATE = MODELS / "small.tflite", MODELS / "small_int8.tflite"

#: Only what is no matter of time is judged.
POLICY = {"latency": {"enabled": False}, "memory": {"margin": 1.0}}


@pytest.fixture(autouse=True)
def _installed() -> None:
    if "mobilebench.pytest_plugin" not in {
        e.value for e in metadata.entry_points(group="pytest11")
    }:
        pytest.skip("the plugin is not installed: pip install -e . again")


def test_a_users_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_as_good(mobilebench_gate):
            result = mobilebench_gate(r"{BASELINE}", r"{BASELINE}", seconds=0, policy={POLICY})
            assert result.passed

        def test_bigger(mobilebench_gate):
            assert mobilebench_gate(
                r"{CANDIDATE}", r"{BASELINE}", seconds=0, policy={POLICY}
            ).passed

        def test_no_such_file(mobilebench_gate):
            mobilebench_gate("gone.tflite", "gone.tflite")

        def test_no_such_metric(mobilebench_gate):
            mobilebench_gate(r"{BASELINE}", r"{BASELINE}", policy={{"latencyy": {{}}}})

        def test_device(mobilebench_device):
            assert mobilebench_device.kind == "local"

        def test_of_the_user():
            pass
        """
    )
    done = pytester.runpytest_subprocess("--strict-markers", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=3, failed=3)
    done.stdout.fnmatch_lines(
        [
            "E * where False = <FAIL: size +38.4 % (margin 1 %); download *",
            "*Captured mobilebench call*",
            "FAIL  small_int8: candidate against baseline on local · cpu-1 (ai-edge-litert *)",
            "  FAIL         size +38.4 % (margin 1 %)",
            "mobilebench: the baseline gone.tflite does not exist",
            "*latencyy: unknown metric, did you mean 'latency'*",
        ]
    )
    assert "During handling" not in done.stdout.str()


def test_the_marker_is_set_by_itself(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_measures(mobilebench_gate):
            raise AssertionError("left out")

        def test_does_not():
            pass
        """
    )
    done = pytester.runpytest_subprocess("--strict-markers", "-m", "not mobilebench")
    done.assert_outcomes(passed=1, deselected=1)
    assert "mobilebench: measures models" in pytester.runpytest_subprocess("--markers").stdout.str()


@pytest.mark.parametrize(
    ("option", "words"), [("nowhere", "cannot measure on nowhere"), ("local", "no runtime here")]
)
def test_without_a_device_it_is_skipped_with_the_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, option: str, words: str
) -> None:
    # No adb server is there, and none can be started.
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/bin/false")
    monkeypatch.setenv("PATH", "")
    if option == "local":
        pytester.makeconftest(
            """
            from mobilebench.runs import selection
            from mobilebench.errors import BadInputError

            def open_device(spec):
                raise BadInputError("there is no runtime here: pip install ai-edge-litert")

            selection.open_device = open_device
            """
        )
    pytester.makepyfile(
        """
        def test_measures(mobilebench_gate):
            raise AssertionError("skipped")
        """
    )
    done = pytester.runpytest_subprocess("-rs", "--mobilebench-device", option)
    done.assert_outcomes(skipped=1)
    assert words in done.stdout.str().replace("\n", " ")


def test_pytest_starts_without_anything_heavy() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import mobilebench.pytest_plugin; "
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['mobilebench']"


def test_collecting_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    """A user's session pays for the host when the first test that measures begins."""
    pytester.makeconftest(
        """
        import sys

        HEAVY = ("numpy", "pandas", "pydantic", "mobilebench.runs", "mobilebench.suite")

        def pytest_sessionfinish():
            print("\\nimported:", [name for name in HEAVY if name in sys.modules])
        """
    )
    pytester.makepyfile(
        """
        def test_measures(mobilebench_gate):
            raise AssertionError("only collected")

        def test_device(mobilebench_device):
            raise AssertionError("only collected")
        """
    )
    done = pytester.runpytest_subprocess("--collect-only", "-q", "-s")
    done.stdout.fnmatch_lines(["*::test_measures", "*::test_device", "imported: []"])
