"""The tables of runs: runs, what they add up to, how they failed, and what is kept of them."""

from runs_app.models.failures import FailureGroup
from runs_app.models.figures import CountedRuns, DailyFigures
from runs_app.models.history import ColdLogs, RetentionRule, SavedView
from runs_app.models.runs import LONG_S, Run, RunPayload, RunQuerySet

__all__ = [
    "LONG_S",
    "ColdLogs",
    "CountedRuns",
    "DailyFigures",
    "FailureGroup",
    "RetentionRule",
    "Run",
    "RunPayload",
    "RunQuerySet",
    "SavedView",
]
