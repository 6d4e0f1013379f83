"""A virtual phone: test equipment, and no phone.

A real adb server speaks to a real adbd (AOSP's own, from Debian's archive) that runs in a sandbox
of its own. What Android itself would answer (``am``, ``dumpsys``, ``pm``, …) comes from a model
in Python that follows recorded formats. The app behind ``am start`` runs models for real, on this
machine: its results are real inferences and no phone's latency, and every one of them says so.

    adb server ── wire.py ── adbd ── sh ── command.c ── android.py ── the app
                  faults     (sandbox.py)               personalities.py

Nothing is installed: ``system.py`` unpacks Debian's packages into a cache.
"""
