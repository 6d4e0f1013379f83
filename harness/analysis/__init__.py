"""Pure statistics: no I/O, no device, no clock."""

from harness.analysis.summarise import summarise
from harness.analysis.summary import Comparison, Summary, Variant

__all__ = ["Comparison", "Summary", "Variant", "summarise"]
