"""Why the app's process ended: what Android remembers of it, and what that means for a trial."""

from __future__ import annotations

import re
import time

from mobilebench.devices.adb.client import AdbDevice
from mobilebench.devices.adb.parse import Exit, parse_exit
from mobilebench.devices.android.app import PACKAGE
from mobilebench.devices.base import TrialError

_KEPT_SECONDS = 3.0
#: How the dump of ends begins, from Android 11 on; before it there is no such command.
_KEEPS_RECORDS = "PROCESS EXIT INFO"


def running(device: AdbDevice) -> frozenset[int]:
    """The process ids of the app.

    Raises:
        LinkLostError, DeadlineError: the phone does not answer.
    """
    words = device.shell("pidof", PACKAGE).output.split()
    return frozenset(int(word) for word in words if word.isascii() and word.isdigit())


def explain(device: AdbDevice, pids: frozenset[int]) -> TrialError | None:
    """Why the process ended, or None if it lives.

    Android writes the record a moment after the end, so it is waited for.

    Args:
        device: the phone.
        pids: the processes of this trial; a record of another is not taken for theirs.

    Raises:
        LinkLostError, DeadlineError: the phone does not answer.
    """
    end = time.monotonic() + _KEPT_SECONDS
    while True:
        text = device.shell("dumpsys", "activity", "exit-info", PACKAGE).output
        record = parse_exit(text)
        if record is not None and record.pid in pids:
            return _judge(record)
        if pids & running(device):
            return None
        # Of an Android that keeps records, none is there yet: this may be the app's first end.
        if _KEEPS_RECORDS not in text or time.monotonic() >= end:
            return _without_record(device, pids)
        time.sleep(0.2)


def hangs(device: AdbDevice, pids: frozenset[int]) -> bool:
    """Whether Android has found that these processes do not respond (and not yet ended them).

    The event's fields are user, process, package, flags and reason: AOSP, ``EventLogTags.logtags``.
    """
    log = device.shell("logcat", "-d", "-b", "events", "-t", "500", "am_anr:I", "*:S").output
    found = re.findall(rf"am_anr\s*:\s*\[\d+,(\d{{1,9}}),{re.escape(PACKAGE)},", log)
    return any(int(pid) in pids for pid in found)


def _judge(record: Exit) -> TrialError:
    said = f" ({record.description})" if record.description else ""
    match record.reason:
        case "APP CRASH(EXCEPTION)" | "APP CRASH(NATIVE)" | "INITIALIZATION FAILURE":
            return TrialError("app_crashed", f"the app crashed: {record.reason}{said}")
        case "ANR":
            return TrialError("app_hung", f"Android ended the app: it did not respond{said}")
        case "LOW_MEMORY" | "EXCESSIVE RESOURCE USAGE":
            return TrialError("out_of_memory", f"Android ended the app for memory: {record.reason}")
        case "SIGNALED":
            hint = " (out of memory?)" if record.status == 9 else ""
            return TrialError("agent_died", f"the app ended by signal {record.status}{hint}")
        case "EXIT_SELF":
            return TrialError("agent_died", f"the app left with exit code {record.status}{said}")
    return TrialError("agent_died", f"Android ended the app: {record.reason}{said}")


def _without_record(device: AdbDevice, pids: frozenset[int]) -> TrialError:
    """Before Android 11 the log is all there is; it may have lost the lines."""
    log = device.shell("logcat", "-d", "-b", "crash", "-t", "60").output
    crash = (
        rf"Process: {re.escape(PACKAGE)}, PID: (\d{{1,9}})\n"
        r"[^\n]*?AndroidRuntime: ([^\n]{1,300})"
    )
    for pid, cause in re.findall(crash, log):
        if int(pid) in pids:
            return TrialError("app_crashed", f"the app crashed: {cause.strip()}")
    return TrialError("agent_died", "the app ended without a result")
