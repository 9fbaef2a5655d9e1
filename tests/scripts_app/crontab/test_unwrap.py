"""What is taken off a command, for the longest commands too; the corpus has the ordinary ones."""

import cProfile

from scripts_app.crontab import shell, unwrap
from tests.rows import each_row

PIECES = (
    'echo a; cd /;|timeout 1 |nice |sh -c \'|bash -c "|( |{ |$(|`|sudo |A=b |[ a ] && |sleep 1; |a & |env |[[|\\\\|"|>|'
    ">>|<<|if a; then |for a in b; do |/a/|a.b.|-|9|\n"
)


CALLS_A_CHARACTER = 150


@each_row("piece", [each for each in PIECES.split("|") if each])
def test_the_longest_command_of_anything_is_little_work(piece: str) -> None:
    calls = calls_of(piece * (shell.MAX_LENGTH // len(piece)))
    assert calls < CALLS_A_CHARACTER * shell.MAX_LENGTH


def calls_of(command: str) -> int:
    """How many functions are called to unwrap a command: what it costs, on a machine of any speed."""
    with cProfile.Profile() as profile:
        unwrap.plan(command, {"HOME": "/home/ann"})
    return sum(entry.callcount for entry in profile.getstats())


def test_layers_come_off_one_after_the_other() -> None:
    plan = unwrap.plan("(flock -n /l timeout 5m bash -c 'cd /a && nice x --y') &", {})
    assert plan.single and plan.single.words == ["x", "--y"]
    found = plan.found
    assert (found.folder, found.timeout_s, found.nice, found.overlap) == ("/a", 300, 10, "skip")


def test_a_line_of_very_many_programs_is_left_to_a_shell() -> None:
    assert "more than 50" in unwrap.plan("a; " * 60, {}).why
