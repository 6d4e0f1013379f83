"""MobileBench's host controller: compress, measure on devices, judge, report."""

__version__ = "0.1.0"
