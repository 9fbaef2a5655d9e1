"""The words of pages and messages: ours that only programmers know stand on none of them."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.modules import PRODUCT, ROOT

# A due moment is a *start* on pages; the settler is named after what it does; "Its own" says nothing by itself.
OURS = re.compile(r"\b(?:[Mm]oments?|[Ss]ettler|Its own)\b")
OF_PROGRAMMERS = {"architecture.md", "benchmarks.md", "glossary.md"}
TEMPLATE_CODE = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}|{% comment.*?endcomment %}", re.DOTALL)
SHOWN_ATTRIBUTES = re.compile(r'\b(?:title|alt|placeholder|aria-label|label)="([^"]*)"')
TAG = re.compile(r"<[^>]*>", re.DOTALL)
SCRIPT_TEXT = re.compile(r'"([^"\n]* [^"\n]*)"|`([^`]* [^`]*)`')
SCRIPT_CODE = re.compile(r"\$\{[^}]*\}")
SCRIPT_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", re.DOTALL)


def texts_of_template(text: str) -> str:
    plain = TEMPLATE_CODE.sub("", text)
    return " ".join([*SHOWN_ATTRIBUTES.findall(plain), TAG.sub(" ", plain)])


def texts_of_script(text: str) -> str:
    found = SCRIPT_TEXT.findall(SCRIPT_COMMENT.sub("", text))
    return SCRIPT_CODE.sub("", "\n".join("".join(pair) for pair in found))


def texts_of_module(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the sentences of a module: texts with a space, but for docstrings, SQL and what goes to the log."""
    silent = {id(node) for call in nodes for node in silent_texts(call)}
    for node in nodes:
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in silent and " " in node.value:  # type: ignore[attr-defined]
            yield node.value  # type: ignore[attr-defined]


def silent_texts(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Expr():
            yield node.value  # a docstring
        case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"))):
            yield from ast.walk(node)


@pytest.mark.parametrize("folder", ["templates", "static/js"])
def test_no_page_uses_a_word_that_only_programmers_know(folder: str) -> None:
    read = {".html": texts_of_template, ".js": texts_of_script}
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in read
        for word in OURS.findall(read[path.suffix](path.read_text()))
    ]
    assert not found, "\n".join(found)


def test_no_message_uses_a_word_that_only_programmers_know() -> None:
    found = [
        f"{module.name}: {sentence}"
        for module in PRODUCT
        for sentence in texts_of_module(module.nodes)
        if OURS.search(sentence)
    ]
    assert not found, "\n".join(found)


def test_no_page_of_the_help_uses_one() -> None:
    found = [
        f"{path.name}: {word}"
        for path in (ROOT / "docs").glob("*.md")
        if path.name not in OF_PROGRAMMERS
        for word in OURS.findall(re.sub(r"`[^`]*`", "", path.read_text()))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ('<p title="No moment">x</p>', ["moment"]),
        ("{% if moment %}{{ moment }}{% endif %}<b>Its own</b>", ["Its own"]),
        ("a user of its own", []),
    ],
)
def test_what_a_template_shows_is_read(shown: str, words: list[str]) -> None:
    assert OURS.findall(texts_of_template(shown)) == words


def test_what_a_module_says_is_read() -> None:
    code = '"""A moment."""\nlogger.info("the moment of %s", 1)\nsay(f"no moment {1} is left")\n'
    assert list(texts_of_module(list(ast.walk(ast.parse(code))))) == ["no moment ", " is left"]
