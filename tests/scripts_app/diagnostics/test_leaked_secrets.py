"""Secrets in a code: pointed out where they are, never repeated, and little else is taken for one."""

import random
import string
from itertools import pairwise

import pytest

from scripts_app.diagnostics import leaked_secrets
from scripts_app.diagnostics.models import Problem
from tests.rows import each_row

dice = random.Random(7)


def letters(count: int, of: str = string.ascii_letters + string.digits) -> str:
    """Made up here, so that no search for secrets finds one in this file."""
    return "".join(dice.choice(of) for _ in range(count))


CAPITALS = string.ascii_uppercase + "234567"
SECRETS = {
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "an access key of AWS": "AKIA" + letters(16, CAPITALS),
    "a token of GitHub": "ghp" + "_" + letters(36),
    "a token of GitLab": "glpat" + "-" + letters(20),
    "a token of Slack": "xoxb" + f"-{letters(12, string.digits)}-{letters(24)}",
    "a live key of Stripe": "sk" + "_live_" + letters(24),
    "an API key of Google": "AIza" + letters(35),
    "an API key": "sk" + f"-proj-A1{letters(40)}",
    "a token of npm": "npm" + "_" + letters(36),
    "a token of a Telegram bot": letters(9, "123456789") + ":AA" + letters(33),
    "a signed token (JWT)": f"eyJ{letters(20)}.eyJ{letters(40)}.{letters(43)}",
}


def find(code: str) -> list[Problem]:
    return list(leaked_secrets.find_secrets(code))


@each_row(("what", "secret"), SECRETS.items())
@pytest.mark.parametrize(
    "around", ["x = '{}'\n", "call(f'Bearer {}')\n", "# {}\n", '"""\n{}\n"""\n']
)
def test_a_known_shape_is_pointed_out_wherever_it_stands(
    what: str, secret: str, around: str
) -> None:
    code = "import os\n" + around.replace("{}", secret)
    (problem,) = find(code)
    line = code.split("\n")[problem.line - 1]
    assert (problem.message, problem.code, problem.severity) == (
        f"This looks like {what}",
        "SECRET",
        "security",
    )
    assert line[problem.column - 1 : problem.end_column - 1] == secret


@each_row(
    "before",
    [
        "password = ",
        "DB_PASSWORD: str = ",
        "api_key=",
        "client['token'] = ",
        '{"secret": ',
        "x.auth_key = ",
        "apiToken = ",
    ],
)
def test_a_long_value_with_a_telling_name_is_pointed_out(before: str) -> None:
    (problem,) = find(f"{before}'{letters(24)}9a'\n")
    assert problem.message == "This looks like a secret"


def test_a_password_in_an_address_is_pointed_out() -> None:
    (problem,) = find("db = 'postgres://ann:" + letters(9) + "@db.example.org/x'\n")
    assert (problem.message, problem.column) == ("This looks like a password in an address", 22)


def test_it_is_said_how_to_read_it_as_a_secret() -> None:
    (problem,) = find(f"settings['db_password'] = '{letters(24)}9a'\n")
    assert 'os.environ["DB_PASSWORD"]' in problem.why


@each_row(("what", "secret"), SECRETS.items())
def test_the_secret_itself_is_not_repeated(what: str, secret: str) -> None:
    (problem,) = find(f"password = '{secret}'\n")
    assert secret[4:] not in repr(problem)


@each_row(
    "line",
    [
        "token = os.environ['API_TOKEN_OF_SERVICE']",
        "password = getpass.getpass('Password of user1234: ')",
        "token = 'your-token-goes-here-1234'",
        "api_key = 'XXXXXXXXXXXXXXXXXXXXXXX1'",
        "SECRET_FILE = '/run/secrets/database/password1'",
        "token_url = 'https://example.org/oauth2/v1/token'",
        "api_key = 'settings.production.api_key'",
        "password = 'correct horse battery staple 1'",
        "checksum = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'",
        "commit = 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3'",
        "key = 'AKIAIOSFODNN7EXAMPLE'",
        "url = 'postgres://user:password@localhost/db'",
        "url = f'postgres://{user}:{password}@localhost/db'",
        "css = 'sk-toggleable__content-of-a-very-long-class-name'",
        "tokenizer = 'distilbert-base-uncased-v2-finetuned'",
        "uuid = '123e4567-e89b-12d3-a456-426614174000'",
        "text = 'eyJ is how such a token begins'",
        "print('-----BEGIN CERTIFICATE-----')",
    ],
)
def test_what_is_none_is_left_alone(line: str) -> None:
    assert find(f"{line}\n") == []


def test_a_line_that_says_so_is_left_alone() -> None:
    secret = SECRETS["a token of GitHub"]
    assert [one.line for one in find(f"x = '{secret}'  # noqa: SECRET\ny = '{secret}'\n")] == [2]


def test_a_line_is_named_once_and_many_are_not_all_named() -> None:
    secret = SECRETS["a token of GitHub"]
    found = find(f"x = '{secret}' '{secret}'\n" * 100)
    assert len(found) == leaked_secrets.MAX_SECRETS
    assert all(one.line < other.line for one, other in pairwise(found))


def test_the_code_of_this_project_has_none() -> None:
    assert find(leaked_secrets.__doc__ or "") == []
