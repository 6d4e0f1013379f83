"""MkDocs hooks: the repository's own files as pages of the site, and links that are true there.

Links in the Markdown files are written for a reader of the repository. On the site they go to the
page of the same file; a link to a file that is not on the site becomes its text. A link to a file
that is not in the repository at all stays, and MkDocs refuses it.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

#: Files outside docs/ that are on the site, and as what.
ON_SITE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "THIRD_PARTY_NOTICES.md": "third-party-notices.md",
    "android_app/README.md": "app.md",
    "android_app/THIRD_PARTY_NOTICES.md": "app-third-party-notices.md",
    "results/sample/report.html": "sample-report.html",
}
SOURCES = {page: source for source, page in ON_SITE.items()}

#: GitHub shows the Markdown of a report, a browser its page.
INSTEAD = {"results/sample/report.md": "results/sample/report.html"}

#: Where the README ends on the home page.
HOME_ENDS = "<!-- The site's home page ends here. -->"

_LINK = re.compile(r"(?P<text>!?\[[^\[\]]*\])\((?P<path>[^()\s#:]+)(?P<anchor>#[^()\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of `ON_SITE`, read from where they are."""
    for source, page in ON_SITE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Cut the README to the home page, and turn links to files into links to pages."""
    uri = page.file.src_uri
    source = SOURCES.get(uri, f"docs/{uri}")
    if source == "README.md":
        markdown, end, _rest = markdown.partition(HOME_ENDS)
        if not end:
            raise PluginError(f"README.md has no line {HOME_ENDS!r}: write it where home shall end")
    return _LINK.sub(lambda link: _on_site(link, source, uri), markdown)


def _on_site(link: re.Match[str], source: str, uri: str) -> str:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
    path = INSTEAD.get(path, path)
    if path in ON_SITE:
        target = ON_SITE[path]
    elif path.startswith("docs/"):
        target = path.removeprefix("docs/")
    elif (ROOT / path).exists():
        return link["text"].removeprefix("!")[1:-1]
    else:
        return link[0]
    target = posixpath.relpath(target, posixpath.dirname(uri) or ".")
    return f"{link['text']}({target}{link['anchor'] or ''})"
