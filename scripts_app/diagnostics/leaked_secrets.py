"""Secrets pasted into code: private keys, the tokens of known services, random values with a telling name."""

# No pattern may begin within a run of the characters that the pattern repeats, so that a text is read once.

import bisect
import math
import re
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from scripts_app.diagnostics.models import Problem, Severity

CODE = "SECRET"
MAX_SECRETS = 50
WHY = "Whoever may read the script, or one of its versions, can use it. Make it a secret: `{read}` reads it then."


@dataclass(frozen=True, kw_only=True)
class Shape:
    description: str
    variable: str  # the name of a variable for the secret
    mark: str  # a part of every such secret: a text without the mark is not searched
    pattern: re.Pattern[str]


def _shape(description: str, variable: str, mark: str, pattern: str) -> Shape:
    return Shape(
        description=description,
        variable=variable,
        mark=mark,
        pattern=re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])"),
    )


SHAPES = (
    Shape(
        description="a private key",
        variable="PRIVATE_KEY",
        mark="PRIVATE KEY",
        pattern=re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    ),
    _shape("an access key of AWS", "AWS_ACCESS_KEY_ID", "A", r"(?:AKIA|ASIA)[A-Z2-7]{16}"),
    _shape("a token of GitHub", "GITHUB_TOKEN", "gh", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    _shape("a token of GitHub", "GITHUB_TOKEN", "github_pat_", r"github_pat_[A-Za-z0-9_]{60,255}"),
    _shape("a token of GitLab", "GITLAB_TOKEN", "glpat-", r"glpat-[\w-]{20,300}"),
    _shape("a token of Slack", "SLACK_TOKEN", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{20,300}"),
    _shape("an app token of Slack", "SLACK_TOKEN", "xapp-", r"xapp-[A-Za-z0-9-]{20,300}"),
    _shape(
        "a webhook of Slack",
        "SLACK_WEBHOOK",
        "hooks.slack.com",
        r"https://hooks\.slack\.com/services/T\w{6,20}/B\w{6,20}/\w{16,40}",
    ),
    _shape(
        "a webhook of Discord",
        "DISCORD_WEBHOOK",
        "/api/webhooks/",
        r"https://discord(?:app)?\.com/api/webhooks/\d{10,25}/[\w-]{40,100}",
    ),
    _shape("a live key of Stripe", "STRIPE_KEY", "k_live_", r"[sr]k_live_[A-Za-z0-9]{20,255}"),
    _shape("an API key of Google", "GOOGLE_API_KEY", "AIza", r"AIza[\w-]{35}"),
    _shape("a client secret of Google", "GOOGLE_CLIENT_SECRET", "GOCSPX-", r"GOCSPX-[\w-]{28}"),
    _shape(
        "an API key", "API_KEY", "sk-", r"sk-(?=[\w-]{0,300}\d)(?=[\w-]{0,300}[A-Z])[\w-]{32,300}"
    ),
    _shape("an API key of SendGrid", "SENDGRID_API_KEY", "SG.", r"SG\.[\w-]{16,32}\.[\w-]{32,64}"),
    _shape("a token of npm", "NPM_TOKEN", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _shape("a token of PyPI", "PYPI_TOKEN", "pypi-", r"pypi-AgE[\w-]{50,500}"),
    _shape("a token of a Telegram bot", "TELEGRAM_TOKEN", ":AA", r"\d{8,10}:AA[\w-]{33}"),
    _shape(
        "a signed token (JWT)",
        "TOKEN",
        "eyJ",
        r"eyJ[\w-]{10,4000}\.eyJ[\w-]{10,4000}\.[\w-]{16,4000}",
    ),
)
_IN_ADDRESS = re.compile(
    r"(?<![\w+.-])[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"{}<>]{0,100}:([^\s:/@'\"{}<>]{3,200})@"
)
# A text of 16 characters or more behind `=` or `:`; before these stands the name of a variable, keyword or key.
_VALUE = re.compile(
    r"(?:={1,2}|:)\s{0,5}[bru]?(?P<quote>['\"])(?P<value>[\w+/=.~!@#%^&*?-]{16,500})(?P=quote)"
)
_TELLING = re.compile(
    r"(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|credential)s?"
    r"(?:[_-]?(?:id|key|value|\d+))?\Z",
    re.IGNORECASE,
)
_NAME_CHARACTERS = string.ascii_letters + string.digits + "_-"
_PLACEHOLDERS = frozenset({"password", "pass", "passwd", "secret"})
MAX_NAME = 80
_SAMPLE = re.compile(
    r"example|sample|dummy|placeholder|change.?me|replace|your[_-]?|insert|redacted|x{4}|0{6}|\*{3}|\.{3}|12345|abcde",
    re.IGNORECASE,
)
_WORDS_OR_PATH = re.compile(
    r"[A-Za-z]+(?:[_.-][A-Za-z]+)*|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[./~].*|\w+://.*"
)
_NOQA = re.compile(r"#\s*noqa:[\w, ]{0,200}\bSECRET\b", re.IGNORECASE)


def find_secrets(code: str) -> Iterator[Problem]:
    """Yield a problem for each line with a secret, without `# noqa: SECRET`; the messages do not repeat secrets."""
    line_starts = [0, *(match.end() for match in re.finditer("\n", code)), len(code) + 1]
    seen: set[int] = set()
    count = 0
    for start, end, description, variable in _places(code):
        line = bisect.bisect_right(line_starts, start)
        if line in seen:
            continue
        seen.add(line)
        line_start = line_starts[line - 1]
        next_start = line_starts[line]
        if _NOQA.search(code, line_start, next_start):
            continue
        column = start - line_start + 1
        end_column = min(end, next_start - 1) - line_start + 1
        yield _problem(line, column, end_column, description, variable)
        count += 1
        if count == MAX_SECRETS:
            return


def _places(code: str) -> Iterator[tuple[int, int, str, str]]:
    # Start, end, description, and the name of a variable for the secret.
    for shape in SHAPES:
        if shape.mark not in code:
            continue
        for match in shape.pattern.finditer(code):
            if not _SAMPLE.search(match[0]):
                yield match.start(), match.end(), shape.description, shape.variable
    for match in _IN_ADDRESS.finditer(code):
        password = match[1]
        if not _SAMPLE.search(password) and password.lower() not in _PLACEHOLDERS:
            yield match.start(1), match.end(1), "a password in an address", "PASSWORD"
    for match in _VALUE.finditer(code):
        name = _name_before(code, match.start())
        if _TELLING.search(name) and _is_random(match["value"]):
            yield match.start("value"), match.end("value"), "a secret", _variable(name)


def _name_before(code: str, end: int) -> str:
    # The `password` of `password`, `settings["password"]`, `password: str`. No pattern: one that is bound to the end
    # would be tried at every letter.
    before = code[max(0, end - MAX_NAME) : end].rstrip()
    before = before.removesuffix("str").rstrip(" :'\"]")
    name_start = len(before.rstrip(_NAME_CHARACTERS))
    return before[name_start:]


def _is_random(value: str) -> bool:
    if _SAMPLE.search(value) or _WORDS_OR_PATH.fullmatch(value):
        return False
    has_digit = any(character.isdigit() for character in value)
    has_letter = any(character.isalpha() for character in value)
    if not has_digit or not has_letter:
        return False
    entropy_bits = 0.0
    for count in Counter(value).values():
        share = count / len(value)
        entropy_bits -= share * math.log2(share)
    return entropy_bits >= 3.0


def _variable(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_").upper()[:60]


def _problem(line: int, column: int, end_column: int, description: str, variable: str) -> Problem:
    return Problem(
        line=line,
        column=column,
        end_line=line,
        end_column=end_column,
        code=CODE,
        message=f"This looks like {description}",
        why=WHY.format(read=f'os.environ["{variable}"]'),
        severity=Severity.SECURITY,
        is_secret=True,
    )
