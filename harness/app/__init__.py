"""The Android app on the host's side: the shipped APK, building it, and its core on a desktop JVM.

Only the standard library is imported here, so that ``android_app/build.py`` runs with any
Python 3.11 and nothing installed.
"""
