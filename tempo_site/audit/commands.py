"""Commands that act: the audit names the command and who gave it, also where a verb has recorded nothing."""

import logging
from typing import Any

from django.core.management.base import BaseCommand

from tempo_site.audit import net, trail
from tempo_site.lib.console import caller
from tempo_site.models import AuditEntry

logger = logging.getLogger(__name__)


class ActingCommand(BaseCommand):
    """The base of every command that changes or starts something; those that only look have Django's."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        name = type(self).__module__.rpartition(".")[2]
        written, last = net.written(), _last_entry()
        with trail.acting_as(AuditEntry.Actor.COMMAND, f"{name} ({caller.user()})"):
            printed = super().execute(*args, **options)
            is_act = net.written() > written and not options.get("dry_run")
            if is_act and _last_entry() == last:
                net.catch_command(name)
        return printed


def _last_entry() -> int:
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
