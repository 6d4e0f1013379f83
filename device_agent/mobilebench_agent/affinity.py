"""The CPUs that this process may run on."""

from __future__ import annotations

import os
from typing import List, Sequence

from mobilebench_agent.runtime import AgentError


def keep_to(cpus: Sequence[int]) -> None:
    """Keeps every thread of this process, and those to come, to some CPUs.

    Raises:
        AgentError: ``cpus_unavailable``: there are no such CPUs, or the system does not let it.
    """
    wanted = sorted(cpus)
    before = f"the process cannot be kept to the CPUs {wanted}"
    if not hasattr(os, "sched_setaffinity"):
        raise AgentError("cpus_unavailable", f"{before}: this system has no such call")
    try:
        # Libraries may have started threads on being imported.
        for thread in map(int, os.listdir("/proc/self/task")):
            os.sched_setaffinity(thread, wanted)
    except (OSError, OverflowError, ValueError) as error:
        raise AgentError("cpus_unavailable", f"{before}: {error}") from error
    # The kernel leaves out those that do not exist, or that a cpuset forbids, and says nothing.
    if allowed() != wanted:
        raise AgentError("cpus_unavailable", f"{before}: it can have {allowed()}")


def allowed() -> List[int]:
    """The CPUs that the calling thread may run on; none where the system does not report them."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
