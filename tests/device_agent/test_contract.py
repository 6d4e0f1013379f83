"""The device protocol: golden messages, and what is refused."""

import json
from pathlib import Path
from typing import Any

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


RESULT = json.loads(VALID[5])
HELLO = {"type": "hello", "protocol": 2, "agent": "a", "runtime": "r", "runtime_version": "1"}
METRIC = {"name": "m", "unit": "B", "source": "s", "value": 1}
#: What JSON can hold, and no device can mean.
BEYOND = [10**400, -(10**400), 2**64, 2**63, "\ud800", "x" * 200_000]


@pytest.mark.parametrize(
    "value", BEYOND, ids=lambda value: str(value)[:9].encode("ascii", "replace")
)
@pytest.mark.parametrize(
    "build",
    [
        lambda v: {**HELLO, "protocol": v},
        lambda v: {**HELLO, "agent": v},
        lambda v: {**HELLO, "device": {"cores": v}},
        lambda v: {**HELLO, "device": {"a": [{"b": v}]}},
        lambda v: {**HELLO, "device": {str(v)[:5]: v}},
        lambda v: {"type": "event", "trial": "t", "phase": "p", "done": v},
        lambda v: {"type": "event", "trial": "t", "phase": v},
        lambda v: {"type": "error", "code": "internal", "message": v},
        lambda v: {**RESULT, "samples_ns": [5, v]},
        lambda v: {**RESULT, "warmup_ns": [v]},
        lambda v: {**RESULT, "warnings": [v]},
        lambda v: {**RESULT, "conditions": {"cpus": [v]}},
        lambda v: {**RESULT, "metrics": [{**METRIC, "value": v}]},
        lambda v: {**RESULT, "metrics": [{**METRIC, "n": v}]},
        lambda v: {**RESULT, "metrics": [{**METRIC, "resolution": v}]},
        lambda v: {**RESULT, "metrics": [{**METRIC, "name": v}]},
    ],
)  # fmt: skip
def test_a_value_beyond_all_bounds_is_refused(build: Any, value: object) -> None:
    for line in (json.dumps(build(value)), json.dumps(build(value), ensure_ascii=False)):
        with pytest.raises(contract.ContractError) as caught:
            contract.decode(line.encode("utf-8", "surrogatepass"))
        assert len(str(caught.value)) < 300
        str(caught.value).encode()


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"event","trial":"t","phase":"p","done":1e999}',
        json.dumps({**HELLO, "device": {"a": 7}}).replace("7", "-1e999"),
        '{"type":"event","trial":"t","trial":"u","phase":"p"}',
        json.dumps({**RESULT, "samples_ns": [5, -1]}),
        json.dumps({**RESULT, "kind": "beauty"}),
        json.dumps({**RESULT, "metrics": [METRIC] * 20_000}),
        json.dumps({**RESULT, "metrics": [{**METRIC, "n": -1}]}),
        json.dumps({**RESULT, "conditions": {"a": [[[[[[[[[[1]]]]]]]]]]}}),
        json.dumps({**RESULT, "warnings": ["x"] * 20_000}),
        json.dumps({**HELLO, "x" * 10_000: 1}),
        json.dumps({"type": "x" * 10_000}),
    ],
)
def test_what_no_agent_of_ours_would_send(line: str) -> None:
    with pytest.raises(contract.ContractError) as caught:
        contract.decode(line)
    assert len(str(caught.value)) < 300


def test_half_a_character_does_not_silence_an_agent() -> None:
    line = contract.encode(contract.Error("internal", "no file /tmp/\udcff.tflite"))
    assert contract.decode(line) == contract.Error("internal", "no file /tmp/?.tflite")
