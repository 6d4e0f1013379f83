"""A lease on a device that has a shell: ``flock``, held by a process there that reads a stream.

The process ends with the stream, and the lock with the process: whether the run has ended, its
computer was switched off, or the cable was pulled. A stream that is only half closed, as after a
lost wireless connection, ends nothing: so the holder writes the device's uptime into the lock's
file every few seconds, and who finds an old one there ends the process that has it.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable
from typing import Protocol

from mobilebench.devices import interrupt
from mobilebench.devices.lease import Holder, NoLeaseError, TakenError, UnreachableError

#: How often the holder says that it is alive, and after how long without that it is not.
BEAT_SECONDS = 15.0
STALE_SECONDS = 60

_ANSWER_SECONDS = 15.0
#: A device that comes back after its link was lost is asked again for so long.
_BACK_SECONDS = 20.0

# For any POSIX shell; toybox, busybox and util-linux have a flock. Loops of nothing but builtins
# hold the lock, so that no other process inherits it and nothing runs while something is measured.
# What stands in the file is nobody's command: numbers are checked before they are counted with.
# The first line is what the process is known by, when it is ended: nothing else ever is.
_FUNCTIONS = r"""
: mobilebench-lease
umask 022
number() { case "$1" in ""|*[!0-9]*) return 1;; esac; }
uptime() { up=; read -r up idle </proc/uptime 2>/dev/null; up=${up%%.*}; number "$up" || up=0; }
look() { state= pid= beat= token= rest=; read -r state pid beat token rest <"$file"; }
alive() { number "$pid" && [ -d "/proc/$pid" ]; }
ours() { grep -q mobilebench-lease "/proc/$pid/cmdline" 2>/dev/null; }
gone() {
  [ "$token" = "${who%% *}" ] && return 0
  number "$beat" && [ "$beat" -gt 0 ] && [ "$up" -gt 0 ] && [ $((up - beat)) -gt STALE ]
}
command -v flock >/dev/null 2>&1 || { echo "none it has no program flock"; exit; }
mkdir -p "${file%/*}" 2>/dev/null
[ -e "$file" ] || : >>"$file" 2>/dev/null
[ -r "$file" ] || { echo "none it cannot write $file"; exit; }
"""

_HOLD = r"""
read -r who || exit
tries=0
{
  until flock -n 9; do
    tries=$((tries + 1))
    look
    uptime
    if [ "$state" = held ] && alive; then
      if gone && ours; then kill "$pid"; else echo "taken $token $rest"; exit; fi
    fi
    # One that looks locks it, too, for a moment.
    [ $tries -lt 20 ] || { echo "taken by somebody"; exit; }
    sleep 0.1 || sleep 1
  done
  look
  keep() { uptime; echo "$1 $$ $up $who" >"$file"; }
  keep held 2>/dev/null
  echo "held $token"
  while read -r word && [ "$word" != end ]; do keep held 2>/dev/null; echo beat; done
  keep free 2>/dev/null
} 9<"$file"
"""

_SHOW = r"""
{
  flock -sn 9 && { echo free; exit; }
  look
  if [ "$state" = held ] && alive; then echo "taken $token $rest"; else echo free; fi
} 9<"$file"
"""


def hold_script(file: str) -> str:
    """What takes the lease in a file and holds it; see :class:`ScriptedLease`."""
    return _script(file, _HOLD)


def show_script(file: str) -> str:
    """What prints who holds the lease in a file; see :func:`shown`."""
    return _script(file, _SHOW)


def _script(file: str, text: str) -> str:
    functions = _FUNCTIONS.replace("STALE", str(STALE_SECONDS))
    return f"file={shlex.quote(file)}{functions}{text}"


def shown(output: str) -> Holder | None:
    """The holder that :func:`show_script` printed; None: nobody."""
    word, _, rest = output.strip().partition(" ")
    return Holder.read(rest) if word == "taken" else None


class Channel(Protocol):
    """A shell's standard streams on the device.

    Raises:
        UnreachableError: by any of these: the stream has ended, or there is no answer in time.
    """

    def send(self, line: bytes) -> None:
        """Writes a line."""

    def receive(self, seconds: float) -> str:
        """Reads a line."""

    def close(self) -> None:
        """Ends the stream."""


class ScriptedLease:
    """A lease that a shell on the device holds.

    Args:
        name: how messages call the device.
        holder: who takes it.
        connect: starts :func:`hold_script` there; raises UnreachableError.

    Raises:
        TakenError, NoLeaseError, UnreachableError: as :class:`mobilebench.devices.lease.Place`.
    """

    def __init__(self, name: str, holder: Holder, connect: Callable[[], Channel]) -> None:
        self._name = name
        self._holder = holder
        self._connect = connect
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._undisturbed = True
        self._channel: Channel | None = None
        self._take()
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def ensure(self) -> bool:
        """See :class:`mobilebench.devices.lease.Lease`."""
        end = time.monotonic() + _BACK_SECONDS
        while True:
            with self._lock:
                try:
                    self._beat()
                except UnreachableError:
                    if time.monotonic() > end:
                        raise
                else:
                    undisturbed, self._undisturbed = self._undisturbed, True
                    return undisturbed
            interrupt.check()
            time.sleep(0.2)

    def release(self) -> None:
        """See :class:`mobilebench.devices.lease.Lease`."""
        self._released.set()
        with self._lock:
            if self._channel is None:
                self._holder.left_behind()
                return
            try:
                self._channel.send(b"end\n")
                # Its end is the sign that the lock is free.
                self._channel.receive(2.0)
            except UnreachableError:
                self._holder.left_behind()
            self._close()

    def _keep_alive(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            with self._lock:
                if self._channel is None or self._released.is_set():
                    continue
                try:
                    self._ask(self._channel)
                except UnreachableError:
                    self._close()

    def _beat(self) -> None:
        """Has it, or takes it again; the lock is held by the caller."""
        if self._channel is not None:
            try:
                self._ask(self._channel)
            except UnreachableError:
                self._close()
            else:
                return
        last = self._take()
        self._undisturbed &= last == self._holder.token

    def _ask(self, channel: Channel) -> None:
        channel.send(b"beat\n")
        if channel.receive(_ANSWER_SECONDS) != "beat":
            raise UnreachableError("the process that holds its lease gave another answer")

    def _take(self) -> str:
        """Takes it, and returns the token of who had it last."""
        channel = self._connect()
        try:
            channel.send(f"{self._holder.line}\n".encode())
            word, _, rest = channel.receive(_ANSWER_SECONDS).partition(" ")
            if word == "held":
                self._channel = channel
                return rest.strip()
            if word == "taken":
                raise TakenError(self._name, Holder.read(rest))
            if word == "none":
                raise NoLeaseError(rest)
            raise UnreachableError(f"it answered {f'{word} {rest}'[:100]!r} when asked for a lease")
        except BaseException:
            channel.close()
            raise

    def _close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
