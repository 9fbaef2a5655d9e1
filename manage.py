#!/usr/bin/env python3
"""Tempo's command line: Django's own commands and ours (serve, runscript, doctor, ...); set-up makes it `tempo`."""

import gc
import os
import sys

from tempo_site.web import lean_imports

if __name__ == "__main__" and sys.argv[1:2] in (["serve"], ["prepare"], ["web"]):
    # Before Django is imported. What imports make stays: a collector would look at it ten times, and find nothing.
    gc.disable()
    lean_imports.install(migrates=sys.argv[1] != "web")

from tempo_site.bootstrap import command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tempo_site.settings")
    command_line.execute(sys.argv)
