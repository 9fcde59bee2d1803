"""A mkdocs hook: the site from docs/, with the same links as on GitHub.

Pages in docs/ link to files outside of it, such as `../examples/pipeline.yaml`. Each such file
becomes a page of the site, and README.md becomes its home page, so the site is complete without
the repository. The links are then rewritten, and mkdocs validates them.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from markdown import Markdown
from markdown.blockprocessors import build_block_parser
from markdown.extensions import Extension
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = "docs/"
HOME: Final = "README.md"
OUTSIDE: Final = "project/"
"""Folder of the site for files outside of docs/."""

_FENCE: Final = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(\]\()(?![a-z]+:|#)([^)\s#]+)([^)\s]*\))")
_BOOSTS: Final = {"docs/reference/": 4, "docs/decisions/": 0.5}
"""How a search ranks pages: those for users before those that give reasons."""
_LANGUAGES: Final = {".json": "json", ".lua": "lua", ".py": "python", ".yaml": "yaml"}


class _AsOnGitHub(Extension):  # type: ignore[misc]
    """Two spaces nest in a list, and code is always fenced."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        md.tab_length = 2
        md.parser = build_block_parser(md)
        md.parser.blockprocessors.deregister("code")


def on_config(config: MkDocsConfig) -> None:
    """Read lists as GitHub does; this must be the first extension, since it rebuilds the parser."""
    config.markdown_extensions.insert(0, _AsOnGitHub())


def on_files(files: Files, *, config: MkDocsConfig) -> None:
    """Add the files outside of docs/ that pages link to, and those that they link to in turn."""
    waiting = [DOCS + file.src_uri for file in files.documentation_pages()] + [HOME]
    for path in waiting:
        text = _text(path)
        if not path.startswith(DOCS):
            files.append(File.generated(config, _page(path), content=text))
        for target in _targets(path, text):
            if not target.startswith(DOCS) and target not in waiting:
                waiting.append(target)


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Rewrite the links of a page to places on the site, and rank the page in the search."""
    source = _source(page.file.src_uri)
    boost = next((boost for start, boost in _BOOSTS.items() if source.startswith(start)), 1)
    page.meta["search"] = {"boost": boost}

    def rewritten(link: re.Match[str]) -> str:
        target = _page(_resolved(source, link[2]))
        relative = posixpath.relpath(target, posixpath.dirname(page.file.src_uri))
        return f"{link[1]}{relative}{link[3]}"

    return _outside_fences(markdown, lambda text: _LINK.sub(rewritten, text))


def _text(path: str) -> str:
    """Return a file of the repository as Markdown."""
    file = ROOT / path
    if file.is_dir():
        names = sorted(one.name + "/" * one.is_dir() for one in file.iterdir())
        listed = "".join(f"- [{name}]({path}/{name})\n" for name in names)
        return f"# {path}\n\n{listed.replace(f'({path}/', f'({posixpath.basename(path)}/')}"
    if file.suffix == ".md":
        return file.read_text()
    return f"# {path}\n\n``````{_LANGUAGES.get(file.suffix, '')}\n{file.read_text()}``````\n"


def _targets(path: str, text: str) -> Iterator[str]:
    """Yield the paths of the files that a page links to."""
    for link in _LINK.finditer(_FENCE.sub("", text)):
        yield _resolved(path, link[2])


def _resolved(source: str, link: str) -> str:
    """Return the path of a link's target in the repository."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    index = f"{path}/README.md"
    return index if (ROOT / index).is_file() else path


def _page(path: str) -> str:
    """Return the place on the site of a file of the repository."""
    if path == HOME:
        return "index.md"
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return OUTSIDE + path if path.endswith(".md") else f"{OUTSIDE}{path}.md"


def _source(page: str) -> str:
    """Return the path in the repository of a page of the site."""
    if page == "index.md":
        return HOME
    if not page.startswith(OUTSIDE):
        return DOCS + page
    path = page.removeprefix(OUTSIDE)
    return path if (ROOT / path).exists() else path.removesuffix(".md")


def _outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])
