"""The device protocol: golden messages, and what is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench_agent import contract
from mobilebench_agent.contract import Metric, Result

GOLDEN = Path(__file__).parents[1] / "contract"
VALID = (GOLDEN / "valid.jsonl").read_text("utf-8").splitlines()
INVALID = [json.loads(line) for line in (GOLDEN / "invalid.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("line", VALID)
def test_golden_messages_are_read_and_written_unchanged(line: str) -> None:
    message = contract.decode(line)
    assert json.loads(contract.encode(message)) == json.loads(line)


@pytest.mark.parametrize("case", INVALID, ids=[case["why"] for case in INVALID])
def test_anything_else_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(contract.ContractError):
        contract.decode(case["line"])


@given(st.text() | st.binary())
def test_no_line_breaks_the_reader(line: str | bytes) -> None:
    with pytest.raises(contract.ContractError):
        contract.decode(line)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_field_value_breaks_the_reader(value: object) -> None:
    document = json.loads(VALID[5])
    for name in document:
        try:
            message = contract.decode(json.dumps({**document, name: value}))
        except contract.ContractError:
            continue
        assert contract.decode(contract.encode(message)) == message


@given(st.lists(st.integers(1, 2**62), max_size=50), st.text())
def test_a_result_survives_the_wire(samples: list[int], warning: str) -> None:
    metric = Metric.unavailable("memory_pss", "B", "smaps_rollup", "not told")
    result = Result("t", "latency", (metric,), tuple(samples), warnings=(warning,))
    assert contract.decode(contract.encode(result)) == result


def test_deeply_nested_input_is_refused() -> None:
    with pytest.raises(contract.ContractError):
        contract.decode("[" * 100_000)
