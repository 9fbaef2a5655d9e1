"""Every command that the documents tell people to type: read by a shell, and by Tempo where it is one of its own."""

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tempo_site.bootstrap.command_line import SHORT
from tests.rows import each_row
from tests.test_docs import ROOT, documents

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
COMMENT = re.compile(r"\s+#.*$", re.MULTILINE)
# How a command of Tempo begins: in a checkout, on the path, in a container, in `$(...)`.
OURS = re.compile(
    r"(?:^|\$\(|\bpyscheduler )(?:\.venv/bin/)?(?:tempo|(?:\S*python3? )?manage\.py) ([a-z]\S*.*)"
)
PLACEHOLDER = re.compile(r"\b[A-Z]{1,}\b")


def blocks(*languages: str) -> list[tuple[str, str]]:
    """(document, text) of each block that is in one of the languages; "" is one that names none."""
    found = []
    for path in documents():
        for indent, language, text in BLOCK.findall(path.read_text()):
            if language in languages:
                found.append((path.name, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)))
    return found


def typed_lines() -> list[tuple[str, str]]:
    """(document, line) of every line that begins with a program, in blocks and in the text."""
    lines = []
    for name, text in blocks("sh", ""):
        joined = text.replace("\\\n", " ")
        lines += [(name, COMMENT.sub("", line).strip()) for line in joined.splitlines()]
    for path in documents():
        text = BLOCK.sub("", path.read_text())
        lines += [(path.name, inline.strip()) for inline in INLINE.findall(text)]
    return lines


def calls_of_tempo() -> list[tuple[str, list[str]]]:
    """(document, words) of each whole command of Tempo's; one that is only named has no more than its name."""
    calls = []
    for name, line in typed_lines():
        found = OURS.search(line)
        is_for_people = name != "architecture.md"
        if found and is_for_people and not re.search(r"\[|\.\.\.|\|", found[1]):
            words = shlex.split(found[1].rstrip(")"))
            calls.append((name, words))
    return [(name, words) for name, words in calls if words[0] != "help"]


def command_of(word: str) -> BaseCommand:
    name = SHORT.get(word, word)
    assert name in get_commands(), f"there is no command `{word}`"
    return load_command_class(get_commands()[name], name)


def test_commands_are_found() -> None:
    assert len(calls_of_tempo()) > 15, calls_of_tempo()
    assert len(blocks("sh")) > 8 and len(blocks("yaml")) >= 1


@each_row(("document", "text"), blocks("sh"))
def test_a_block_for_the_shell_is_read_by_one(document: str, text: str) -> None:
    done = subprocess.run(["sh", "-n", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{document}: {done.stderr}"


@pytest.mark.parametrize(("document", "text"), blocks("yaml"))
def test_a_block_of_yaml_is_yaml(document: str, text: str) -> None:
    assert yaml.safe_load(text), document


@each_row(("document", "text"), blocks("python"))
def test_a_block_of_python_is_python(document: str, text: str) -> None:
    assert ast.parse(text), document


@each_row(("document", "words"), calls_of_tempo())
def test_a_command_of_tempo_takes_what_the_document_gives_it(
    document: str, words: list[str]
) -> None:
    command = command_of(words[0])
    if len(words) == 1:
        return  # named, and told elsewhere
    parser = command.create_parser("tempo", words[0])
    numbers = [PLACEHOLDER.sub("1", word) if word.isupper() else word for word in words[1:]]
    known = parser.parse_args(numbers)
    assert known, document


def test_what_lies_in_deploy_is_there() -> None:
    named = {
        place
        for path in documents()
        for place in re.findall(r"deploy/[\w./-]*\w", path.read_text())
    }
    assert named and [place for place in named if not (ROOT / place).exists()] == []


def test_the_containers_name_is_that_of_the_compose_file() -> None:
    (name,) = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    used = {
        word
        for path in documents()
        for word in re.findall(r"docker compose exec (\w+)", path.read_text())
    }
    assert used == {name}


def test_the_files_of_secrets_are_those_that_the_settings_read() -> None:
    """Each variable that `env.secret` reads is named where the files of secrets are told."""
    source = (ROOT / "tempo_site" / "settings.py").read_text()
    read = set(re.findall(r'env\.secret\("(\w+)"\)', source))
    text = (ROOT / "docs" / "configuration.md").read_text().partition("_FILE=")[0]
    assert read == set(re.findall(r"`((?:PYSCHED|SMTP)_\w+)`", text))


def test_every_document_is_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", (ROOT / "README.md").read_text()))
    assert {path.name for path in Path(ROOT / "docs").glob("*.md")} == linked
