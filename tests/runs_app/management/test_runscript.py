"""The command `runscript`."""

import io
import os
from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from runs_app.engine import engine
from runs_app.management.commands.runscript import Command, exit_code
from runs_app.models import Run
from runs_app.states import Status, Trigger
from tempo_site.lib.console import caller
from tests.factories import make_script
from tests.rows import each_row


@pytest.fixture
def running() -> Iterator[None]:
    """A running service as far as others can see: somebody holds the engine's lock."""
    lock = engine.take_lock(wait_s=0)
    yield
    os.close(lock)


def refusal(*argv: str) -> tuple[int, str]:
    """The exit code and the sentence with which the command refuses."""
    with pytest.raises(CommandError) as caught:
        call_command("runscript", *argv)
    return caught.value.returncode, str(caught.value)


@pytest.mark.django_db
@pytest.mark.usefixtures("running")
def test_it_queues_a_run_and_says_so() -> None:
    make_script("Hello")
    printed = io.StringIO()
    call_command("runscript", "hello", stdout=printed)
    run = Run.objects.get()
    assert printed.getvalue() == f"Run {run.pk} of hello is queued.\n"
    assert (run.trigger, run.status) == (Trigger.COMMAND, Status.QUEUED)
    assert run.by == caller.user()


@pytest.mark.django_db
@pytest.mark.usefixtures("running")
def test_it_gives_the_run_its_inputs() -> None:
    make_script("Hello", parameters=[{"name": "days", "type": "int"}, {"name": "who"}])
    call_command(
        "runscript", "hello", "--param", "days=3", "--param", "who=a=b", stdout=io.StringIO()
    )
    assert Run.objects.get().params == {"days": 3, "who": "a=b"}


@pytest.mark.django_db
@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--param", "days=x"], "`days`: has to be a whole number"),
        (["--param", "other=1"], "`other`: is no parameter"),
    ],
)
def test_inputs_that_are_not_right_are_refused(argv: list[str], why: str) -> None:
    make_script("Hello", parameters=[{"name": "days", "type": "int"}])
    code, sentence = refusal("hello", *argv)
    assert code == 1 and why in sentence
    assert not Run.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--param", "days"], "no NAME=VALUE"),
        (["--param", "days=1", "--param", "days=2"], "twice"),
    ],
)
def test_inputs_that_are_not_written_right_are_misuse(
    argv: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        Command().run_from_argv(["tempo", "runscript", "hello", *argv])
    assert end.value.code == 2 and why in capsys.readouterr().err


@pytest.mark.django_db
def test_without_a_running_service_it_starts_nothing() -> None:
    make_script("Hello")
    code, sentence = refusal("hello", "--wait")
    assert code == 1
    assert "not running" in sentence
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_it_knows_what_is_not_there() -> None:
    assert refusal("nothing") == (1, "There is no script `nothing`.")


@pytest.mark.django_db
@pytest.mark.usefixtures("running")
def test_a_refused_start_is_75(settings: LazySettings) -> None:
    make_script("Hello")
    settings.MIN_FREE_MB = 2**40
    code, sentence = refusal("hello")
    assert code == 75
    assert "MB are free" in sentence


@each_row(
    ("run", "code"),
    [
        (Run(status=Status.SUCCEEDED, exit_code=0), 0),
        (Run(status=Status.FAILED, exit_code=3), 3),
        (Run(status=Status.FAILED, signal="SIGKILL"), 137),
        (Run(status=Status.CANCELLED, signal="SIGTERM"), 143),
        (Run(status=Status.FAILED, signal="SIG40"), 168),
        (Run(status=Status.FAILED, signal="SIGRTMIN"), 162),
        (Run(status=Status.TIMED_OUT, exit_code=0), 1),
        (Run(status=Status.FAILED), 1),
        (Run(status=Status.LOST), 1),
    ],
)
def test_it_ends_with_what_the_script_ended_with(run: Run, code: int) -> None:
    assert exit_code(run) == code
