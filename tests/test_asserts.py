"""What an assert is for.

Launcher and `web` run without asserts (tempo_site/web/byte_code.py): in the product one only tells a type checker what
is known. A test, and a helper named `assert_...`, has one, or waits for what it expects.
"""

import ast
from collections.abc import Iterator

from tests.modules import PRODUCT, TESTS, Module
from tests.rows import each_row

Function = ast.FunctionDef | ast.AsyncFunctionDef
# The calls that fail where something is not so; the first words of their names.
EXPECTING = ("assert_", "django_assert_", "expect", "fail", "raises", "wait_for", "warns")


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


# --- tests ------------------------------------------------------------------------------------------------------------
def functions_of(module: Module, *prefixes: str) -> Iterator[Function]:
    for node in module.nodes:
        if isinstance(node, Function) and node.name.startswith(prefixes):
            yield node


def silent_tests(module: Module) -> Iterator[str]:
    for function in functions_of(module, "test_", "assert_"):
        if not any(map(can_fail, ast.walk(function))):
            yield module.at(function, f"{function.name} fails for nothing: say what it expects")


def can_fail(node: ast.AST) -> bool:
    """Whether this is an assert of something, or a call whose name says that it expects something."""
    match node:
        case ast.Assert(test=ast.Constant() | ast.Tuple() | ast.JoinedStr() | ast.GeneratorExp()):
            return False  # true, whatever the product does
        case ast.Assert():
            return True
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="expect")))):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name != "expect" and name.startswith(EXPECTING)
    return False


def conditional_tests(module: Module) -> Iterator[str]:
    """Tests that are nothing but an `if`: where it does not hold they pass, and nobody hears of it."""
    for function in functions_of(module, "test_"):
        is_able = any(map(can_fail, ast.walk(function)))
        if is_able and not any(map(can_fail, walk_outside(function))):
            yield module.at(function, f"{function.name} expects something only if ...: skip it")


def walk_outside(function: Function) -> Iterator[ast.AST]:
    """The parts of a function that do not lie in an `if` without an `else`."""
    parts: list[ast.AST] = [function]
    while parts:
        part = parts.pop()
        yield part
        if not isinstance(part, ast.If) or part.orelse:
            parts.extend(ast.iter_child_nodes(part))


def test_every_test_can_fail() -> None:
    assert [line for module in TESTS for line in silent_tests(module)] == []
    assert [line for module in TESTS for line in conditional_tests(module)] == []


@each_row(
    ("body", "count"),
    [
        ("timing.check(rule)", 1),
        ("assert True", 1),
        ("assert (run.status, 'failed')", 1),
        ("assert (step for step in steps)", 1),
        ("expect(page.locator('h1'))", 1),
        ("for run in runs:\n        run.start()", 1),
        ("assert run.status == 'failed'", 0),
        ("expect(page.locator('h1')).to_be_visible()", 0),
        ("with pytest.raises(ValueError):\n        check('')", 0),
        ("wait_for(lambda: run.is_final, what='the end')", 0),
        ("assert_is_error(answer, 404)", 0),
    ],
)
def test_it_tells_a_test_that_cannot_fail(body: str, count: int) -> None:
    module = Module.of("tests/test_it.py", f"def test_it():\n    {body}\n")
    assert len(list(silent_tests(module))) == count


@each_row(
    ("body", "count"),
    [
        ("if root:\n        assert run", 1),
        ("for run in runs:\n        if run:\n            assert run.status", 1),
        ("if root:\n        assert run\n    else:\n        assert not run", 0),
        ("if root:\n        run.start()\n    assert run", 0),
    ],
)
def test_it_tells_a_test_that_expects_something_only_now_and_then(body: str, count: int) -> None:
    module = Module.of("tests/test_it.py", f"def test_it():\n    {body}\n")
    assert len(list(conditional_tests(module))) == count
