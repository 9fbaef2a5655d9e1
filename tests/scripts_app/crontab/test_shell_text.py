"""What a shell runs in place of a crontab's line ends as the worst of its parts: tried with the real shell."""

import subprocess

from scripts_app.crontab import shell_text
from tests.rows import each_row


@each_row(
    ("text", "status"),
    [
        ("( false; true )", 1),
        ("( exit 4 ); true", 4),
        ("( cd /; ( exit 5; ); true ); true", 5),
        ("(cd / ; false; echo x) | cat", 1),
        ("true | ( false; cat )", 1),
        ("for i in 1 2; do ( exit 4 ; true ); true; done; true", 4),
        ("( true; true )", 0),
        ("if ( false; false ); then echo; fi", 0),
        ("( false || true; true )", 0),
        ("! false", 0),
        ("echo $(true)", 0),
    ],
)
def test_what_fails_in_a_subshell_is_not_lost_with_it(text: str, status: int) -> None:
    judged = shell_text.judged(text, [], [], "/bin/sh")
    done = subprocess.run([*judged.words, judged.text], capture_output=True)
    assert done.returncode == status, done.stderr
