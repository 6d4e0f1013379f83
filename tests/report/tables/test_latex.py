"""Tables for a paper."""

import shutil
import subprocess
from dataclasses import replace

import pytest
from mobilebench.report import table


def test_latex_is_a_booktabs_table_of_plain_characters(summary):
    text = table(summary, "latex")
    assert r"\toprule" in text
    assert r"\usepackage{booktabs}" in text
    assert r"\caption{digits on bench $\cdot$ cpu-1 (ai-edge-litert" in text
    assert r"dynamic\_int8" in text
    assert r"prune(0.8) $\rightarrow$ cluster(32)" in text
    assert "% prune(0.99): not made" in text
    rows = [line for line in text.splitlines() if not line.startswith("%")]
    assert "\n".join(rows).isascii()


def test_latex_escapes_what_would_be_a_command(summary):
    digits = summary.comparisons[0]
    hostile = replace(digits.variants[0], recipe=r"\input{x}<a>|b|~^$&%#_")
    changed = replace(summary, comparisons=(replace(digits, variants=(hostile,)),))
    text = table(changed, "latex")
    assert r"\textbackslash{}input\{x\}\textless{}a\textgreater{}\textbar{}b\textbar{}" in text
    assert r"\textasciitilde{}\textasciicircum{}\$\&\%\#\_" in text


PDFLATEX = shutil.which("pdflatex")


@pytest.mark.skipif(PDFLATEX is None, reason="needs pdflatex")
def test_latex_fits_a_page(summary, tmp_path):
    # The rules of booktabs have no width; a machine may have LaTeX without it.
    rules = "".join(rf"\newcommand\{name}rule{{\hline}}" for name in ("top", "mid", "bottom"))
    text = table(summary, "latex").replace(r"{\small", r"\noindent{\small")
    document = rf"\documentclass{{article}}{rules}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "page.tex").write_text(document, "utf-8")
    found = subprocess.run(
        [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        check=False, cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    assert found.returncode == 0, found.stdout
    assert "Overfull" not in found.stdout
