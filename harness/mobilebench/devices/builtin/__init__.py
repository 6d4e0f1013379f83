"""The kinds of device that MobileBench brings: one file a family."""
