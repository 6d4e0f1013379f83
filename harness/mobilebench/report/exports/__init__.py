"""The results for other programs: JSON, LaTeX, JUnit, Markdown."""
