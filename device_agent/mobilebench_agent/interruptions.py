"""What others did to each timed inference: its CPU time, and involuntary context switches.

Read between inferences, never inside one. Whoever waits for a CPU is not on one, so that an
inference of one thread was interrupted exactly where its CPU time is less than its wall time. The
switches say who was at fault: involuntary ones are the scheduler's, which gave the CPU to another.
"""

from __future__ import annotations

import time
from array import array
from typing import Any, Callable, Optional

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

#: The counters are read no oftener than this, since a reading takes 1 to 2 µs: shorter inferences
#: share the readings before and after several of them.
INTERVAL_NS = 100_000

#: The two clocks are read one after the other, so that they differ by this much with nobody else
#: there. To give a CPU to another takes longer.
RESOLUTION_NS = 5_000

_INVOLUNTARY = 15  # of struct rusage: ru_nivcsw


class Interruptions:
    """CPU times and switches of timed inferences, as many as there are samples.

    ``cpu_ns`` of an inference is its wall time by the share of the interval between two readings
    in which the threads were on a CPU; ``switches`` are those of that interval, and stay empty
    where the system does not count them.

    Args:
        threads: of one thread its own counters are read, of several the process's.
    """

    def __init__(self, threads: int) -> None:
        self.cpu_ns, self.switches = array("q"), array("q")
        self._alone = threads == 1
        self._cpu = time.thread_time_ns if self._alone else time.process_time_ns
        self._count = _counter(threads)
        self._wall = self._began = self._switched = 0

    def begin(self) -> None:
        """An interval begins: whatever was done since the last one ended is no inference."""
        self._switched = self._count() if self._count else 0
        self._cpu()  # the first reading takes longer
        self._wall, self._began = time.perf_counter_ns(), self._cpu()

    def end(self, samples: "array[int]") -> None:
        """An interval ends, and the next begins; the samples that it added get their numbers."""
        wall, cpu = time.perf_counter_ns(), self._cpu()
        switched = self._count() if self._count else 0
        passed, used = wall - self._wall, cpu - self._began
        share = used / max(1, passed)
        if self._alone and passed - used < RESOLUTION_NS:
            share = 1.0
        for took in samples[len(self.cpu_ns) :]:
            self.cpu_ns.append(round(took * share))
            if self._count:
                self.switches.append(switched - self._switched)
        self._wall, self._began, self._switched = wall, cpu, switched

    def halve(self) -> None:
        """Every second one is dropped, from the second."""
        self.cpu_ns, self.switches = self.cpu_ns[::2], self.switches[::2]


def _counter(threads: int) -> Optional[Callable[[], int]]:
    """How often the scheduler took the CPU away so far; None where that is not counted."""
    name = "RUSAGE_THREAD" if threads == 1 else "RUSAGE_SELF"
    whose: Any = getattr(resource, name, None)
    if whose is None:
        return None
    getrusage: Any = resource.getrusage
    return lambda: int(getrusage(whose)[_INVOLUNTARY])
