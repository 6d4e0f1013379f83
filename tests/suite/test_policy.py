"""The policy file of a gate."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from mobilebench.errors import BadInputError
from mobilebench.suite.policy import Policy, read_policy


def test_a_policy_changes_only_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('[memory]\nmissing = "fail"\n[accuracy]\nmargin = 0.002\n')
    policy = read_policy(path)
    assert policy["memory"] == Policy()["memory"].model_copy(update={"missing": "fail"})
    assert (policy["accuracy"].margin, policy["accuracy"].direction) == (0.002, "higher")
    assert policy["latency"] == Policy()["latency"]
    assert read_policy(None) == Policy()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[latencyy]\nmargin = 0.1\n", ("latencyy: unknown metric", "did you mean 'latency'")),
        ("[power]\n", ("unknown metric", "latency, memory, energy, accuracy")),
        ("[latency]\nmargins = 0.1\n", ("latency.margins: unknown key", "'margin'")),
        ("[accuracy]\nfloor = 3\n", ("unknown key", "direction")),
        ("[latency]\nmargin = 3\n", ("latency.margin is a share", "0.03")),
        ("[latency]\nmargin = -0.1\n", ("latency.margin", "greater than or equal to 0", "-0.1")),
        ('[latency]\nmargin = "3 %"\n', ("latency.margin", "valid number")),
        ('[size]\nmissing = "pass"\n', ("size.missing", "'ignore', 'inconclusive' or 'fail'")),
        ("latency = 3\n", ("latency: should be a table (got 3)",)),
        ("[latency\n", ("not valid TOML",)),
    ],
)
def test_a_policy_that_is_none(tmp_path: Path, text: str, words: Sequence[str]) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(BadInputError) as error:
        read_policy(path)
    assert all(word in str(error.value) for word in (*words, str(path)))
