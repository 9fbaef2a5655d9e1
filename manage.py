#!/usr/bin/env python3
"""Tempo's command line: Django's own commands and ours (serve, prepare, createkey, runscript, ...)."""

import os
import sys

from tempo_site.web import lean_imports

if __name__ == "__main__" and sys.argv[1:2] in (["serve"], ["prepare"], ["web"]):
    # Before Django is imported.
    lean_imports.install(migrates=sys.argv[1] != "web")

from django.core.management import execute_from_command_line

from tempo_site.bootstrap import service_user

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tempo_site.settings")
    if sys.argv[1:2] != ["serve"]:  # that one needs root for its launcher
        service_user.step_down()
    execute_from_command_line(sys.argv)
