"""API keys: what opens them and until when, what a limited one sees, and the doors that make them."""

import io
import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from runs_app.states import Kind, Status
from scripts_app import folders, reach, scripts
from scripts_app.models import Script
from tempo_site import auth
from tempo_site.accounts import keys, tokens
from tempo_site.accounts.keys import KeyLimits, KeyRefused
from tempo_site.models import ApiKey, AuditEntry
from tests.calling import send
from tests.factories import make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def make_key(name: str = "ci", scope: str = "full", **fields: Any) -> tuple[ApiKey, str]:
    return keys.create(name=name, scope=scope, now=NOW, **fields)


def client_with(token: str) -> Client:
    return Client(headers={"host": "localhost", "x-api-key": token})


def limited_to(script: Script, scope: str = "full") -> Client:
    return client_with(make_key(scope=scope, limits=reach.named([script.slug], []))[1])


@pytest.fixture
def ours() -> Script:
    """The script that the limited key of a test sees."""
    return make_script("Ours")


@pytest.fixture
def theirs() -> Script:
    """A script that it does not see."""
    return make_script("Theirs")


# --- what opens a key -----------------------------------------------------------------------------------------------
def test_a_new_token_has_a_check_sum() -> None:
    assert tokens.is_well_formed(make_key()[1])


def test_tokens_of_before_open_their_keys_still() -> None:
    key, _ = ApiKey.issue(name="old", token="tempo_" + "Zm9v_-" * 7)
    assert ApiKey.objects.by_token("tempo_" + "Zm9v_-" * 7) == key


def test_an_expired_key_is_answered_like_one_that_never_was() -> None:
    key, token = make_key(expires_at=NOW + timedelta(hours=1))
    assert client_with(token).get("/api/v1/runs").status_code == 200
    ApiKey.objects.filter(pk=key.pk).update(expires_at=NOW - timedelta(seconds=1))
    unknown = client_with(tokens.make_token()).get("/api/v1/runs")
    expired = client_with(token).get("/api/v1/runs")
    assert (expired.status_code, expired.content) == (unknown.status_code, unknown.content)


def test_a_key_that_would_have_expired_is_not_made() -> None:
    with pytest.raises(KeyRefused, match="expired already"):
        make_key(expires_at=NOW)


def test_a_rotated_key_opens_by_both_tokens_until_the_overlap_is_over() -> None:
    key, old = make_key()
    new = keys.rotate(key, overlap=timedelta(hours=1), now=NOW)
    assert {ApiKey.objects.by_token(token) for token in (old, new)} == {key}
    ApiKey.objects.update(old_until=NOW - timedelta(seconds=1))
    assert [ApiKey.objects.by_token(token) for token in (old, new)] == [None, key]


def test_a_key_that_is_rotated_without_overlap_opens_by_the_new_token_alone() -> None:
    key, old = make_key()
    new = keys.rotate(key, overlap=timedelta(0), now=NOW)
    assert [ApiKey.objects.by_token(token) for token in (old, new)] == [None, key]


def test_a_revoked_key_opens_nothing() -> None:
    key, token = make_key()
    keys.revoke(key)
    assert client_with(token).get("/api/v1/runs").status_code == 401


def steps_of_database(token: str) -> int:
    """How many steps the database takes to look for a token."""
    database: sqlite3.Connection = connection.connection
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    database.set_progress_handler(count, 1)
    try:
        ApiKey.objects.by_token(token)
    finally:
        database.set_progress_handler(None, 0)
    return steps


def test_a_look_for_a_key_takes_the_same_work_for_one_key_and_for_ten_thousand() -> None:
    token = make_key()[1]
    wrong = [token[:-1] + "!", "!" + token[1:], tokens.make_token()]
    before = [steps_of_database(each) for each in (token, *wrong)]
    rows = [ApiKey(name="x", prefix="x", digest=f"{number:064x}") for number in range(10_000)]
    ApiKey.objects.bulk_create(rows)
    assert [steps_of_database(each) for each in (token, *wrong)] == before
    assert len(set(before[1:])) == 1


# --- what a limited key sees ----------------------------------------------------------------------------------------
def lists(client: Client) -> Iterator[tuple[str, Any]]:
    for path in ("/scripts", "/runs", "/queue", "/failures", "/statistics", "/search?q=word"):
        status, body = send(client, "GET", path)
        assert status == 200, path
        yield path, body["items"]


def test_a_limited_key_sees_its_scripts_in_lists_and_no_others(
    ours: Script, theirs: Script
) -> None:
    for script in (ours, theirs):
        make_run(script)
        make_run(script, status=Status.SUCCEEDED)
    make_run(None, kind=Kind.BUILD)
    found = dict(lists(limited_to(ours)))
    assert "theirs" not in json.dumps(found)
    assert [row["slug"] for row in found["/scripts"]] == ["ours"]
    assert {row["script"] for row in found["/runs"]} == {"ours"}
    assert [(row["script"], row["position"]) for row in found["/queue"]] == [("ours", 1)]
    for name in ("theirs", "nothing"):
        assert send(limited_to(ours), "GET", f"/runs?script={name}")[1]["items"] == []
    everything = send(limited_to(ours), "GET", "/runs?kind=all")[1]["items"]
    assert {row["script"] for row in everything} == {"ours"}


def test_a_limited_key_reads_and_changes_its_script_and_finds_no_other(
    ours: Script, theirs: Script
) -> None:
    client = limited_to(ours)
    for script, status in ((ours, 200), (theirs, 404)):
        run, schedule = make_run(script), make_schedule(script)
        assert send(client, "GET", f"/scripts/{script.slug}")[0] == status
        assert send(client, "PATCH", f"/scripts/{script.slug}", {"tags": ["x"]})[0] == status
        assert send(client, "GET", f"/runs/{run.pk}")[0] == status
        assert send(client, "POST", f"/runs/{run.pk}/cancel")[0] == status
        assert send(client, "GET", f"/schedules/{schedule.pk}")[0] == status
        assert send(client, "GET", f"/scripts/{script.slug}/variables")[0] == status
    theirs.refresh_from_db()
    assert theirs.tags == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/system"),
        ("GET", "/environments"),
        ("GET", "/variables"),
        ("PUT", "/variables/NAME"),
        ("GET", "/folders"),
        ("GET", "/settings"),
        ("GET", "/keys"),
        ("POST", "/keys"),
        ("GET", "/audit"),
        ("GET", "/channels"),
        ("GET", "/deliveries"),
        ("POST", "/pause"),
        ("POST", "/scripts"),
        ("POST", "/scripts/ours/duplicate"),
    ],
)
def test_what_belongs_to_no_script_is_not_there_for_a_limited_key(
    ours: Script, method: str, path: str
) -> None:
    bodies = {"/keys": {"name": "x"}, "/scripts": {"name": "x"}, "/variables/NAME": {"value": "1"}}
    status, body = send(
        limited_to(ours), method, path, bodies.get(path) if method != "GET" else None
    )
    assert status == 404 and "is limited to some scripts" in body["error"]["message"]
    assert ApiKey.objects.count() == 1


def test_a_limited_key_cannot_move_its_script_elsewhere(ours: Script) -> None:
    status, body = send(limited_to(ours), "PATCH", "/scripts/ours", {"folder": "Elsewhere"})
    assert status == 403 and "limited" in body["error"]["message"]


def test_a_folder_of_a_key_holds_all_below_it_and_follows_its_new_name() -> None:
    scripts.create(name="Below", folder="Ops/Nightly", by=None, now=NOW)
    scripts.create(name="Beside", folder="Opsy", by=None, now=NOW)
    folder = folders.ensure("Ops")
    assert folder
    limits = KeyLimits(folders=frozenset({folder.pk}))
    assert [reach.covers(limits, slug) for slug in ("below", "beside")] == [True, False]
    folders.move(folder, path="Operations")
    assert reach.covers(limits, "below")


def test_a_limited_key_whose_folder_is_gone_sees_nothing(ours: Script) -> None:
    folder = folders.create("Ops")
    client = client_with(make_key(limits=reach.named([], ["Ops"]))[1])
    folder.delete()
    assert send(client, "GET", "/scripts")[1]["items"] == []
    assert send(client, "GET", "/scripts/ours")[0] == 404


# --- its use --------------------------------------------------------------------------------------------------------
def test_the_use_of_a_key_is_kept_with_its_address_and_a_new_address_is_in_the_audit() -> None:
    key, token = make_key()
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"):
        client_with(token).get("/api/v1/runs", REMOTE_ADDR=address)
    key.refresh_from_db()
    assert key.last_used_from == "192.0.2.2"
    new = AuditEntry.objects.filter(verb="used at a new address").order_by("pk")
    assert [(row.name, row.address) for row in new] == [("ci", "192.0.2.1"), ("ci", "192.0.2.2")]


def test_a_flood_of_addresses_writes_a_bounded_number_of_rows() -> None:
    key, _ = make_key()
    for number in range(60):
        auth.touch(key, address=f"198.51.100.{number}", now=NOW)
    key.refresh_from_db()
    assert AuditEntry.objects.filter(verb="used at a new address").count() == 30
    assert len(key.known_addresses) == auth.MAX_KNOWN_ADDRESSES


# --- the doors ------------------------------------------------------------------------------------------------------
def test_the_api_makes_changes_rotates_and_revokes_a_key(program: Client, ours: Script) -> None:
    status, made = send(program, "POST", "/keys", {"name": "new", "scripts": ["ours"]})
    assert (status, made["scope"], made["scripts"]) == (201, "read", ["ours"])
    address = f"/keys/{made['id']}"
    changed = send(program, "PATCH", address, {"scope": "run", "scripts": None})[1]
    assert (changed["scope"], changed["limited"], changed["name"]) == ("run", False, "new")
    rotated = send(program, "POST", f"{address}/rotate", {"overlap_hours": 1})[1]
    assert rotated["token"] != made["token"] and rotated["old_token_until"]
    assert "token" not in send(program, "GET", address)[1]
    assert send(program, "DELETE", address)[0] == 204
    assert send(program, "GET", address)[0] == 404
    verbs = AuditEntry.objects.filter(kind="API key", object_name__startswith="new").order_by("pk")
    assert [row.verb for row in verbs] == ["created", "changed", "rotated", "revoked"]
    assert verbs[1].changes["scope"] == ["read", "run"]
    stored = json.dumps(list(verbs.values("changes", "object_name")))
    assert made["token"] not in stored and rotated["token"] not in stored


def test_keys_and_audit_are_for_staff(browser: Client) -> None:
    for path in ("/keys/", "/keys/new/", "/audit/", "/api/v1/keys", "/api/v1/audit"):
        assert browser.get(path).status_code == 403, path


def test_the_page_preselects_the_smallest_scope_and_shows_a_token_once(
    admin_client: Client, ours: Script
) -> None:
    form = admin_client.get("/keys/new/").context["form"]
    assert form["scope"].initial == "read"
    sent = {"name": "page", "scope": "run", "is_limited": "on", "scripts": "ours"}
    page = admin_client.post("/keys/new/", sent)
    key = ApiKey.objects.get(name="page")
    token = page.context["token"]
    assert ApiKey.objects.by_token(token) == key and key.script_ids == [ours.pk]
    assert token not in admin_client.get(f"/keys/{key.pk}/").content.decode()
    rotated = admin_client.post(f"/keys/{key.pk}/rotate/", {"overlap_hours": "24"})
    assert ApiKey.objects.by_token(rotated.context["token"]) == key
    assert ApiKey.objects.by_token(token) == key
    admin_client.post(f"/keys/{key.pk}/revoke/")
    assert not ApiKey.objects.filter(name="page").exists()


def test_saving_the_page_of_a_key_whose_folder_is_gone_does_not_lift_its_limits(
    admin_client: Client,
) -> None:
    folder = folders.create("Ops")
    key, _ = make_key(limits=reach.named([], ["Ops"]))
    folder.delete()
    sent = {"name": "again", "scope": "read", "is_limited": "on", "scripts": "", "folders": ""}
    admin_client.post(f"/keys/{key.pk}/", sent)
    key.refresh_from_db()
    assert key.name == "again" and key.is_limited


def test_the_commands_make_list_and_revoke_limited_keys(ours: Script) -> None:
    printed = io.StringIO()
    options = ["--scope", "run", "--script", "ours", "--expires", "2099-01-31"]
    call_command("createkey", "ci", *options, stdout=printed)
    token = printed.getvalue().strip()
    listed = io.StringIO()
    call_command("listkeys", "--json", stdout=listed)
    (row,) = map(json.loads, listed.getvalue().splitlines())
    assert (row["name"], row["scope"], row["scripts"]) == ("ci", "run", ["ours"])
    assert row["expires_at"].startswith("2099-01-3") and token not in listed.getvalue()
    call_command("revokekey", token, stdout=io.StringIO())
    assert not ApiKey.objects.exists()
    acts = AuditEntry.objects.filter(actor="command").order_by("pk")
    assert [(row.name.split()[0], row.verb) for row in acts] == [
        ("createkey", "created"),
        ("revokekey", "revoked"),
    ]


def test_a_mistyped_key_is_told_from_one_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="mistyped"):
        call_command("revokekey", tokens.make_token()[:-1] + "!")
    with pytest.raises(CommandError, match="no such key"):
        call_command("revokekey", tokens.make_token())


def test_one_of_two_keys_with_the_same_name_is_not_revoked_by_name() -> None:
    make_key("twin")
    make_key("twin")
    with pytest.raises(CommandError, match="More than one"):
        call_command("revokekey", "twin")


@pytest.mark.parametrize("option", [{"script": ["nothing"]}, {"folder": ["No/Where"]}])
def test_a_key_for_what_is_not_there_is_not_made(option: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="There is no"):
        call_command("createkey", "ci", **option)
    assert not ApiKey.objects.exists()
