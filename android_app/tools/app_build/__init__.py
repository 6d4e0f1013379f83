"""Builds the Android app, and its core for a desktop JVM; see ``android_app/README.md``.

Only the standard library is imported here, so that ``android_app/build.py`` runs with any
Python 3.11 and nothing installed. Host and app share nothing but the protocol and the APK.
"""
