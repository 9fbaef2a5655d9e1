"""Opens pages in a process of its own and tells how many queries each asks; called by `pages` and `many_scripts`."""

import json
import sys
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.service import TOKEN


def tell(paths: Sequence[str]) -> None:
    """Print {path: number of queries} as JSON. Each page is opened twice: the first time fills Django's own caches."""
    person = Client(headers={"host": "127.0.0.1"})
    person.force_login(User.objects.get(username="ann"))
    program = Client(headers={"host": "127.0.0.1", "authorization": f"Bearer {TOKEN}"})
    counts = {}
    for path in paths:
        client = program if path.startswith("/api/") else person
        for _ in range(2):
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(path)
        assert answer.status_code == 200, f"{path} answered {answer.status_code}"
        counts[path] = len(queries)
    json.dump(counts, sys.stdout)
