"""Pure statistics: no I/O, no device, no clock."""

from mobilebench.analysis.summarise import summarise
from mobilebench.analysis.summary import Comparison, Summary, Variant

__all__ = ["Comparison", "Summary", "Variant", "summarise"]
