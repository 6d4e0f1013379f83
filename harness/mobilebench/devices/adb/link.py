"""What is done when the link to a device breaks: wait, look again, repeat once, or give up.

A trial during which the link broke has no result, and is repeated once. A device that does not
come back ends the run: what was finished is kept, and the run can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mobilebench.devices.adb.client import (
    AdbDevice,
    AdbError,
    DeadlineError,
    LinkLostError,
    UnauthorizedError,
)
from mobilebench.devices.adb.device_lines import STATES, UNREAD
from mobilebench.devices.base import TrialError
from mobilebench.devices.found import NOT_CONNECTED
from mobilebench.errors import BadInputError, DeviceError

_BOOT_ID = "/proc/sys/kernel/random/boot_id"

T = TypeVar("T")


class Link:
    """The link to one device.

    Args:
        name: how tables call the device.
        device: where it is.
        wait_seconds: how long a lost device is waited for.
        on_lost: called when whatever was known of the device must be looked at again.
        has_started: whether a device that answers can be worked with; one that restarted may not.
    """

    def __init__(
        self,
        name: str,
        device: AdbDevice,
        wait_seconds: float,
        on_lost: Callable[[], None],
        has_started: Callable[[], bool] = lambda: True,
    ) -> None:
        self._name = name
        self._device = device
        self._wait = wait_seconds
        self._on_lost = on_lost
        self._has_started = has_started
        self._boot = ""
        self._notes: list[str] = []

    def require(self) -> None:
        """Sees that the device is ready.

        Raises:
            BadInputError: there is no adb server, no such device, or it is in another state; the
                message says what to do.
        """
        self._device.server.ensure()
        try:
            state = self._device.state()
            if state != "device":
                raise BadInputError(f"{self._who}: {explain(state)}")
            self._boot = self._boot_id()
        except AdbError as error:
            raise BadInputError(f"{self._who}: {error}") from error

    def keep(self, action: Callable[[], T], waiting: Callable[[], None] = lambda: None) -> T:
        """Does something with the device, and once more if the link broke meanwhile.

        Args:
            action: what to do.
            waiting: called now and then while a lost device is waited for; it may raise.

        Raises:
            TrialError: ``link_lost``, if it broke again; ``timeout``; or the action's own.
            DeviceError: the device did not come back.
        """
        try:
            return self._attempt(action)
        except LinkLostError as error:
            self._return(error, waiting)
        try:
            return self._attempt(action)
        except LinkLostError as error:
            self._return(error, waiting)
            raise TrialError("link_lost", f"the link broke twice: {error}") from error

    def ensure_alive(self) -> None:
        """After a failure that a broken link would explain, too.

        Raises:
            LinkLostError: the link was broken, or the device restarted.
        """
        if self._device.state() != "device":
            raise LinkLostError(f"{self._who} is {self._device.state()}")
        if self._boot and self._boot_id() != self._boot:
            raise LinkLostError(f"{self._who} has restarted")

    def notes(self) -> tuple[str, ...]:
        """What a reader of the result should know; returned once."""
        notes, self._notes = self._notes, []
        return tuple(notes)

    def _attempt(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except LinkLostError:
            raise
        except DeadlineError as error:
            self.ensure_alive()
            raise TrialError("timeout", str(error)) from error
        except UnauthorizedError as error:
            raise DeviceError(f"{self._who}: {explain('unauthorized')}", "lost") from error
        except AdbError as error:
            self.ensure_alive()
            raise TrialError("adb_failed", str(error)) from error

    def _return(self, error: LinkLostError, waiting: Callable[[], None]) -> None:
        self._on_lost()
        if not self._device.wait(self._wait, waiting, self._has_started):
            raise DeviceError(
                f"{self._who} was lost ({error}) and did not come back within {self._wait:g} s: "
                f"{explain(self._last_state())}; then resume the run",
                "lost",
            ) from error
        boot = self._boot_id()
        restarted = bool(self._boot) and boot != self._boot
        self._boot = boot
        what = "the device restarted" if restarted else "the link was lost"
        self._notes.append(f"{what} during this trial, and it was repeated")

    def _last_state(self) -> str:
        try:
            return self._device.state()
        except AdbError:
            return "absent"

    def _boot_id(self) -> str:
        result = self._device.shell("cat", _BOOT_ID)
        return result.output.strip() if result.code == 0 else ""

    @property
    def _who(self) -> str:
        return f"device {self._name!r} ({self._device.serial})"


def explain(state: str) -> str:
    """A state of adb, with what to do about it."""
    if state == "absent":
        return NOT_CONNECTED
    if state == UNREAD:
        return "in adb's list in a form that is not understood: compare it with: adb devices -l"
    return f"{state}: {STATES.get(state, 'restart the phone')}"
