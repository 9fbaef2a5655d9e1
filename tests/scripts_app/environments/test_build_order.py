"""Which environment is built next: what a run waits for, then what is due first, then the oldest."""

import pytest

from scripts_app.environments import environments
from scripts_app.models import Environment
from tests.factories import make_schedule, make_script

pytestmark = pytest.mark.django_db


def test_what_is_due_first_is_next_and_what_a_run_waits_for_before_that() -> None:
    never, later, soon = (make_script(name, requirements=name, is_ready=False) for name in "abc")
    make_schedule(later, every_s=3600)
    make_schedule(soon, every_s=60)
    assert environments.next_wanted() == soon.wanted_environment
    awaited = Environment.objects.filter(waiting_scripts=never).values_list("pk", flat=True)
    assert environments.next_wanted(of_runs=awaited) == never.wanted_environment
    Environment.objects.filter(waiting_scripts=soon).update(state="ready")
    assert environments.next_wanted() == later.wanted_environment
