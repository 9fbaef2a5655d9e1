"""Requirement lines and their normal form."""

import time

import pytest
from django.conf import LazySettings

from scripts_app.packages import requirements
from scripts_app.validation import ScriptError
from tests.rows import each_row


@each_row(
    ("text", "normal"),
    [
        ("", ""),
        ("# only a comment\n\n", ""),
        ("requests", "requests"),
        ("  Requests  ", "requests"),
        ("ruamel_yaml", "ruamel-yaml"),
        ("b\na", "a\nb"),
        ("a\na", "a"),
        ("pandas >= 2 , <3  # see #12", "pandas<3,>=2"),
        ("uvicorn[standard,extra]==0.30", "uvicorn[extra,standard]==0.30"),
        ('tomli; python_version < "3.11"', 'tomli; python_version < "3.11"'),
    ],
)
def test_equal_requirements_have_one_normal_form(text: str, normal: str) -> None:
    assert requirements.normalise(text) == normal


NAMED = "tempo-greeting @ https://index.lan/files/tempo_greeting-1.1-py3-none-any.whl"


def test_files_of_the_web_may_be_named_where_the_administrator_allows_it(
    settings: LazySettings,
) -> None:
    settings.ALLOW_DIRECT_URLS = True
    assert requirements.normalise(f"Tempo_{NAMED[6:]}#sha256={'0' * 64}\nb").startswith(
        f"b\n{NAMED}#sha256=0"
    )


@pytest.mark.parametrize(
    "line",
    [
        "https://index.lan/a-1.0-py3-none-any.whl",
        "a @ file:///srv/a-1.0-py3-none-any.whl",
        "a @ git+https://git.lan/a",
        "a @ https://user:password@index.lan/a-1.0-py3-none-any.whl",
        "a @ https://index.lan/${UV_DEFAULT_INDEX}/a.whl",
        "a @ https://index.lan/simple/",
        "-e https://index.lan/a.whl",
        "--find-links https://index.lan/",
        "./a.whl",
    ],
)
def test_whatever_else_is_no_plain_requirement_stays_refused(
    line: str, settings: LazySettings
) -> None:
    settings.ALLOW_DIRECT_URLS = True
    with pytest.raises(ScriptError, match=r"^line 2: "):
        requirements.normalise(f"b\n{line}")


def test_five_hundred_requirements_are_accepted_among_comments() -> None:
    assert (
        requirements.normalise("# why\n" * 600 + "\n".join(f"a{n}" for n in range(500))).count("\n")
        == 499
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\n".join(f"a{n}" for n in range(501)), "has 501 lines; 500 is the most\nhint: "),
        ("# " + "ä" * 50_000, "has 100,002 bytes; 100,000 is the most"),
    ],
)
def test_too_much_is_refused_before_any_line_is_parsed(
    text: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(requirements, "Requirement")
    with pytest.raises(ScriptError, match=f"^`requirements` {why}") as refusal:
        requirements.normalise(text)
    assert refusal.value.field == "requirements"


@each_row(
    ("line", "why"),
    [
        ("-r other.txt", "list the packages themselves"),
        ("--requirement=other.txt", "list the packages themselves"),
        ("-c limits.txt", "list the packages themselves"),
        ("-e .", "only packages of the package index"),
        ("--index-url https://index.lan", "the administrator's settings"),
        ("--pre", "the administrator's settings"),
        ("a --hash=sha256:00", "one plain requirement a line"),
        ("a \\", "one plain requirement a line"),
        ("a @ https://index.lan/a.whl", "path or URL"),
        ("a @ file:a", "path or URL"),
        ("https://index.lan/a.whl", "path or URL"),
        ("git+https://git.lan/a", "path or URL"),
        ("./a", "path or URL"),
        ("/srv/a", "path or URL"),
        ("a-1.0-py3-none-any.whl", "path or URL"),
        ("a=1", "has one `=`"),
        ("a==b", "is no requirement"),
        ("file:///srv/a", "path or URL"),
        ("a" * 600, "longer than 500"),
    ],
)
def test_a_refused_line_is_named_with_the_reason(line: str, why: str) -> None:
    with pytest.raises(ScriptError, match=rf"^line 3: `.*{why}") as refusal:
        requirements.normalise(f"requests\n\n{line}\n")
    assert refusal.value.field == "requirements"


@each_row(
    "line",
    [
        "a" * 250 + "." * 249,
        "a " * 250,
        "x>=1 " * 100,
        "x" + ">=1 " * 120 + "!",
        '"' * 500,
        "a=" * 250,
        "import " + "a, " * 160,
        "pip install " + "a^1 " * 120,
        "a[" * 250,
        "a;python_version<" + "3." * 240,
    ],
)
def test_a_hostile_line_is_refused_in_no_time(line: str) -> None:
    began = time.process_time()
    refused = list(requirements.refused_lines(f"{line[:500]}\n" * 20))
    assert len(refused) == 20
    assert time.process_time() - began < 5  # one order of magnitude above what it takes
