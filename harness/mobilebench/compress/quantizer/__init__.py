"""What quantizing steps are made of: schemes, observed ranges, fragile layers."""
