"""A hook of mkdocs: files outside `docs/` that pages link to, as `../zoo/README.md`, become part of the site.

So one relative link leads to the same file on a page of the repository and on the site.
"""

import os
import pathlib
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)#\s]+)")


def on_files(files, config):
    """Adds what pages link to, and what these link to in turn."""
    pages = [pathlib.Path(file.abs_src_path) for file in files.documentation_pages()]
    known = set()
    while pages:
        page = pages.pop()
        for _, target in LINK.findall(page.read_text(encoding="utf-8")):
            path = pathlib.Path(os.path.normpath(page.parent / target))
            if not path.is_relative_to(DOCS) and path.is_file() and path not in known:
                known.add(path)
                files.append(File.generated(config, _uri(path), abs_src_path=str(path)))
                pages += [path] if path.suffix == ".md" else []
    return files


def on_page_markdown(markdown, page, config, files):
    """Points links at the places of their files on the site."""
    source = pathlib.Path(page.file.abs_src_path)

    def moved(match):
        path = pathlib.Path(os.path.normpath(source.parent / match[2]))
        return match[1] + os.path.relpath(_uri(path), os.path.dirname(page.file.src_uri) or ".")

    return LINK.sub(moved, markdown)


def _uri(path):
    """Where a file of the repository is on the site."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    return "repository/" + path.relative_to(ROOT).as_posix()
