"""What a phone's owner can do about each reason with which Android refuses an app.

The codes are those of AOSP's ``PackageManager`` that a single APK can meet; makers add their own.
"""

from __future__ import annotations

import re

_REMOVE = "remove it with: adb uninstall io.mobilebench.agent"
_DAMAGED = "the app's file is damaged: install MobileBench anew, or build the app again"
_ON_SCREEN = (
    "its owner or a policy did not let it: unlock the phone, allow “Install via USB” in the "
    "developer options (Xiaomi, OPPO, vivo), and confirm on the screen"
)
_SPACE = "its storage is full; make some space"
_VERIFIER = (
    "Play Protect refused it or did not answer; allow it on the screen, or switch off “Verify apps "
    "over USB” in the developer options"
)
_RESTART = "restart the phone and try again"

_ADVICE = {
    "INSTALL_FAILED_ABORTED": _ON_SCREEN,
    "INSTALL_FAILED_USER_RESTRICTED": _ON_SCREEN,
    "INSTALL_FAILED_REJECTED_BY_BUILDTYPE": _ON_SCREEN,
    "INSTALL_FAILED_PRE_APPROVAL_NOT_AVAILABLE": _ON_SCREEN,
    "INSTALL_FAILED_ALREADY_EXISTS": f"another app of that name is on it; {_REMOVE}",
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": f"the app on it was signed with another key; {_REMOVE}",
    "INSTALL_FAILED_SHARED_USER_INCOMPATIBLE": f"the app on it has another key; {_REMOVE}",
    "INSTALL_FAILED_VERSION_DOWNGRADE": f"the app on it is newer; {_REMOVE}",
    "INSTALL_FAILED_PERMISSION_MODEL_DOWNGRADE": f"the app on it is newer; {_REMOVE}",
    "INSTALL_FAILED_DUPLICATE_PERMISSION": f"another app stands in its way; {_REMOVE}",
    "INSTALL_FAILED_CONFLICTING_PROVIDER": f"another app stands in its way; {_REMOVE}",
    "INSTALL_FAILED_UID_CHANGED": f"data of an earlier app are left; {_REMOVE}",
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": _SPACE,
    "INSTALL_FAILED_MEDIA_UNAVAILABLE": _SPACE,
    "INSTALL_FAILED_CONTAINER_ERROR": _SPACE,
    "INSTALL_FAILED_NO_MATCHING_ABIS": "the app has no code for its processor",
    "INSTALL_FAILED_CPU_ABI_INCOMPATIBLE": "the app has no code for its processor",
    "INSTALL_FAILED_OLDER_SDK": "its Android is too old: 8.0 is needed",
    "INSTALL_FAILED_NEWER_SDK": "its Android is newer than this app allows: update MobileBench",
    "INSTALL_FAILED_DEPRECATED_SDK_VERSION": "its Android refuses apps as old as this: update "
    "MobileBench",
    "INSTALL_FAILED_MISSING_FEATURE": "it lacks hardware that the app asks for",
    "INSTALL_FAILED_MISSING_SHARED_LIBRARY": "it lacks a library that the app asks for",
    "INSTALL_FAILED_TEST_ONLY": "the app was built for tests only: build it anew without testOnly",
    "INSTALL_FAILED_VERIFICATION_FAILURE": _VERIFIER,
    "INSTALL_FAILED_VERIFICATION_TIMEOUT": _VERIFIER,
    "INSTALL_FAILED_INTERNAL_ERROR": _RESTART,
    "INSTALL_FAILED_DEXOPT": f"{_SPACE}, or {_RESTART}",
    "INSTALL_FAILED_SESSION_INVALID": _RESTART,
    "INSTALL_FAILED_INVALID_APK": _DAMAGED,
    "INSTALL_FAILED_INVALID_URI": _DAMAGED,
    "INSTALL_FAILED_BAD_DEX_METADATA": _DAMAGED,
    "INSTALL_FAILED_BAD_SIGNATURE": _DAMAGED,
    "INSTALL_FAILED_MISSING_SPLIT": _DAMAGED,
    "INSTALL_FAILED_PACKAGE_CHANGED": _DAMAGED,
}

#: What codes of makers mean, which AOSP does not have, by a word in them: the first that fits.
_WORDS = (
    (r"^INSTALL_PARSE_FAILED", _DAMAGED),
    (r"CANCEL|ABORT|REJECT|RESTRICT|DENIED|DENY|FORBID|DISALLOW|BLOCKED|USER", _ON_SCREEN),
    (r"STORAGE|SPACE", _SPACE),
    (r"VERIF", _VERIFIER),
)


def advice(code: str, reason: str) -> str:
    """What to do, and Android's own reason where it gave one.

    Args:
        code: Android's, such as ``INSTALL_FAILED_ABORTED``.
        reason: its words; may be empty.
    """
    by_word = (text for word, text in _WORDS if re.search(word, code))
    known = _ADVICE.get(code) or next(by_word, "")
    if not known:
        return reason or "Android gives no reason: look at the phone's screen, and try again"
    return f"{known} (Android says: {reason})" if reason else known
