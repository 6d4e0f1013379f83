"""A lane in a process of its own, on the host of its device: goes on with a folder to its end.

``python -m mobilebench.lab.lane FOLDER [--retry-failed]``. The last line of its output is JSON:
what went wrong, if anything. It ends with its host, whose death or wish closes standard input.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path

from mobilebench.errors import DeviceError, MobileBenchError
from mobilebench.runs.leases import Leases, Patience
from mobilebench.runs.run import Quiet, resume
from mobilebench.store.folder import FolderBusyError

_PATIENCE_SECONDS = 3600.0
#: For so long the process of a host that died may still write to the folder.
_LEAVING_SECONDS = 60.0


def main(arguments: list[str]) -> None:
    """Measures what is left; what is finished is in the folder, whatever happens."""
    threading.Thread(target=_end_with_the_host, daemon=True).start()
    outcome = {"error": "", "code": ""}
    try:
        # Somebody with a cable of their own may have the device.
        leases = Leases(Patience(device_seconds=_PATIENCE_SECONDS))
        folder, retry_failed = Path(arguments[0]), "--retry-failed" in arguments
        _resume(folder, retry_failed, leases)
    except MobileBenchError as error:
        code = error.code if isinstance(error, DeviceError) else ""
        outcome = {"error": reason(error), "code": code}
    except KeyboardInterrupt:
        outcome = {"error": "it was stopped", "code": ""}
    print(json.dumps(outcome), flush=True)


def _resume(folder: Path, retry_failed: bool, leases: Leases) -> None:
    deadline = time.monotonic() + _LEAVING_SECONDS
    while True:
        try:
            resume(folder, Quiet(), retry_failed, leases=leases)
        except FolderBusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def reason(error: MobileBenchError) -> str:
    """Why it ended, without the command that goes on here: a client has one of its own."""
    if error.folder is None:
        return str(error)
    if isinstance(error.__cause__, KeyboardInterrupt):
        return "it was stopped"
    return str(error.__cause__ or error)


def _end_with_the_host() -> None:
    sys.stdin.buffer.read()
    main_thread = threading.main_thread().ident
    if main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGINT)


if __name__ == "__main__":
    main(sys.argv[1:])
