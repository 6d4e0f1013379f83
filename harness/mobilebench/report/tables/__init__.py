"""The comparison tables, before any format and in each."""
