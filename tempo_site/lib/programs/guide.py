"""Writes a page of the guide as HTML: stdin has Markdown, stdout gets JSON, `{"html": ..., "headings": [...]}`.

Links to `other.md#part` become links to `../other/#part`, as the pages stand side by side below one address.
"""

import json
import re
import sys
from typing import Any

from markdown import Markdown  # type: ignore[import-untyped]

EXTENSIONS = ["tables", "fenced_code", "sane_lists", "toc"]
LINK = re.compile(r'href="(?:docs/|\.\./)?(?P<page>[\w-]+)\.md(?P<part>#[^"]*)?"')
BLOCK = re.compile(r"<pre>")


def main() -> None:
    markdown = Markdown(extensions=EXTENSIONS)
    html = markdown.convert(sys.stdin.read())
    tokens: list[dict[str, Any]] = getattr(markdown, "toc_tokens", [])
    json.dump({"html": _with_links(html), "headings": list(_headings(tokens))}, sys.stdout)


def _with_links(html: str) -> str:
    html = LINK.sub(_link, html)
    html = html.replace("<th></th>", "<td></td>")  # a corner heads nothing
    html = BLOCK.sub('<pre class="codeblock" tabindex="0">', html)
    return html.replace("<table>", '<div class="scroller" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )


def _link(found: re.Match[str]) -> str:
    return f'href="../{found["page"].lower()}/{found["part"] or ""}"'


def _headings(tokens: list[dict[str, Any]]) -> Any:
    for token in tokens:
        yield {"id": token["id"], "level": token["level"], "name": token["name"]}
        yield from _headings(token["children"])


if __name__ == "__main__":
    main()
