"""Host, agents and compression are killed at random: nothing that was finished is lost."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from random import Random

import pytest

from tests.support.kills import Kills, ensure_whole, folders
from tests.support.models import BASELINE, CANDIDATE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")

SUITE = {
    "name": "kills",
    "protocol": {"blocks": 2, "runs": 10, "seconds": 0.05, "warmup_seconds": 0},
    "models": [
        {"name": "a", "source": str(BASELINE)},
        {"name": "b", "source": str(CANDIDATE)},
    ],
}


def test_no_kill_loses_doubles_or_changes_a_finished_trial(tmp_path: Path) -> None:
    seed = int(os.environ.get("MOBILEBENCH_SEED", secrets.randbelow(2**32)))
    print(f"to repeat it: MOBILEBENCH_SEED={seed}")
    environment = {name: os.environ[name] for name in ("MOBILEBENCH_CACHE", "MOBILEBENCH_LEASES")}
    kills = Kills(SUITE, tmp_path, environment, Random(seed))
    while sum(kills.killed.values()) < int(os.environ.get("MOBILEBENCH_KILLS", "20")):
        kills.go_on()
    ended = kills.ended
    while kills.ended == ended:
        kills.go_on(kill=False)
    (last,) = folders(tmp_path / f"results-{ended}")
    ensure_whole(last)
    print(f"{kills.killed}, and {kills.ended} runs came to their end")
