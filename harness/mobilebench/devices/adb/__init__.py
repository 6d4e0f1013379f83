"""The one way to adb: its server, its streams, files on a device, a link that drops."""
