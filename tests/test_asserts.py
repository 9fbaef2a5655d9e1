"""Launcher and `web` run without asserts (tempo_site/web/byte_code.py): one only tells a type checker what is known."""

import ast
from collections.abc import Iterator

from tests.modules import PRODUCT, Module
from tests.rows import each_row


def meaningful_asserts(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.Assert) and not is_narrowing(node.test):
            yield module.at(node, f"rests on assert {ast.unparse(node.test)}; raise an exception")


def is_narrowing(test: ast.expr) -> bool:
    """Whether this only says that something is there, or of which class it is."""
    match test:
        case ast.BoolOp(op=ast.And()):
            return all(is_narrowing(value) for value in test.values)
        case ast.Compare(ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return is_narrowing(test.left)
        case ast.Call(func=ast.Name(id="isinstance")):
            return True
        case ast.Attribute():
            return is_narrowing(test.value)
    return isinstance(test, ast.Name)


def test_no_rule_rests_on_an_assert() -> None:
    assert [line for module in PRODUCT for line in meaningful_asserts(module)] == []


@each_row(
    ("source", "count"),
    [
        ("assert key.is_valid()", 1),
        ("assert isinstance(key, Key) and scope > 1", 1),
        ("assert run.script and run.version is not None", 0),
        ("assert isinstance(key, Key)", 0),
    ],
)
def test_it_tells_a_rule_from_a_type(source: str, count: int) -> None:
    assert len(list(meaningful_asserts(Module.of("tempo_site/auth.py", source)))) == count
