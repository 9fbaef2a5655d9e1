"""The builder's form as a browser sends it, and the addresses of a schedule."""

from typing import Any

from django.urls import reverse

from scripts_app.models import Schedule

FORM: dict[str, Any] = {
    "kind": "cron",
    "cron": "30 2 * * *",
    "every_s_0": "15",
    "every_s_1": "60",
    "at": "",
    "timezone": "Europe/Berlin",
    "overlap": "skip",
    "missed": "once",
    "enabled": "on",
    "start_at": "",
    "end_at": "",
    "jitter_s_0": "",
    "jitter_s_1": "1",
    "delay_s_0": "",
    "delay_s_1": "1",
    "max_parallel": "3",
    "missed_cap": "10",
    "retries": "0",
    "retry_delay_s_0": "1",
    "retry_delay_s_1": "60",
    "retry_backoff": "fixed",
    "retry_max_delay_s_0": "1",
    "retry_max_delay_s_1": "3600",
    "simple_every": "day",
    "simple_step": "15",
    "simple_minute": "0",
    "simple_time": "09:00",
    "simple_weekdays": ["1", "2", "3", "4", "5"],
    "simple_day": "1",
}


def tab_of(schedule: Schedule) -> str:
    """The Schedule tab on which a schedule stands."""
    return reverse("script-schedule", args=[schedule.script.slug])


def edit_of(schedule: Schedule) -> str:
    """Where a schedule is changed."""
    return reverse("schedule-edit", args=[schedule.script.slug, schedule.pk])
