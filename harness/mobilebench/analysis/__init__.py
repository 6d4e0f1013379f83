"""Pure statistics: no I/O, no device, no clock."""
