#!/usr/bin/env python3
"""Tempo's command line: Django's own commands and ours (serve, prepare, createkey, runscript, ...)."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tempo_site.settings")
    execute_from_command_line(sys.argv)
