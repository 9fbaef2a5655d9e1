"""Another secret key: all secrets are readable before, after, and wherever it was cut off."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings as Settings
from django.core.management import CommandError, call_command

from runs_app.engine import engine
from scripts_app.models import Script, Variable
from scripts_app.variables import rotation, variables
from tempo_site.lib import encryption, files, secret_key
from tempo_site.stored_settings import store
from tests.factories import make_script

pytestmark = pytest.mark.django_db

VALUES = {"A": "first secret", "B": "second secret"}
OTHER = "another key, as long as keys have to be"


class CutOff(BaseException):
    """The end of the process, here and now."""


@pytest.fixture
def script(data_folder: Path, settings: Settings) -> Script:
    """A script with two secrets, under the key of the data folder."""
    start_anew(settings)
    script = make_script()
    for name, value in VALUES.items():
        variables.save(script, name=name, value=value, is_secret=True, by="ann")
    variables.save(None, name="PLAIN", value="1", by="ann")
    return script


def start_anew(settings: Settings) -> None:
    """What a process that starts now takes for the key."""
    settings.SECRET_KEY, _ = secret_key.choose("", settings.DATA_PATH)


def stored_values() -> list[str]:
    return list(
        Variable.objects.filter(is_secret=True).order_by("name").values_list("value", flat=True)
    )


def test_secrets_among_the_settings_are_encrypted_anew_too(settings: Settings) -> None:
    start_anew(settings)
    store.save({"SMTP_PASSWORD": "hush", "SMTP_USERNAME": "ann"}, by="ann")
    assert rotation.rotate().count == 1
    start_anew(settings)
    store.memory.forget()
    assert (store.value("SMTP_PASSWORD"), store.value("SMTP_USERNAME")) == ("hush", "ann")


def test_a_new_key_is_made_and_opens_all(script: Script, settings: Settings) -> None:
    before, stored, changed = (
        settings.SECRET_KEY,
        stored_values(),
        Variable.objects.latest("updated_at").updated_at,
    )
    done = rotation.rotate()
    start_anew(settings)
    assert (done.count, done.unreadable, done.has_new_key) == (2, [], True)
    assert before != settings.SECRET_KEY and not secret_key.is_weak(settings.SECRET_KEY)
    assert variables.for_run(script) == variables.RunVariables(plain={"PLAIN": "1"}, secrets=VALUES)
    assert not set(stored) & set(stored_values())
    assert Variable.objects.latest("updated_at").updated_at == changed


def test_the_old_key_opens_nothing_any_more(script: Script, settings: Settings) -> None:
    before = settings.SECRET_KEY
    rotation.rotate()
    assert not (settings.DATA_PATH / "secret_key.old").exists()
    (settings.DATA_PATH / "secret_key").write_text(before)
    start_anew(settings)
    with pytest.raises(variables.SecretUnreadable):
        variables.for_run(script)


def test_the_key_stays_closed_to_others(script: Script, settings: Settings) -> None:
    rotation.rotate()
    assert (settings.DATA_PATH / "secret_key").stat().st_mode & 0o777 == 0o600


def test_the_operators_own_key_is_taken_as_it_is(script: Script, settings: Settings) -> None:
    settings.OLD_SECRET_KEY, settings.SECRET_KEY = settings.SECRET_KEY, OTHER
    (settings.DATA_PATH / "secret_key").unlink()
    assert not rotation.rotate().has_new_key
    settings.OLD_SECRET_KEY = ""
    assert variables.for_run(script).secrets == VALUES
    assert not (settings.DATA_PATH / "secret_key").exists()


def test_who_sets_a_key_for_the_first_time_keeps_all_secrets(
    script: Script, settings: Settings
) -> None:
    settings.SECRET_KEY = OTHER
    assert variables.for_run(script).secrets == VALUES
    rotation.rotate()
    (settings.DATA_PATH / "secret_key").unlink()
    assert variables.for_run(script).secrets == VALUES


def test_what_no_key_opens_is_named_and_left(script: Script) -> None:
    Variable.objects.filter(name="A").update(value="gAAAAA-damaged")
    done = rotation.rotate()
    assert (done.count, done.unreadable) == (1, ["A (hello-world)"])


@pytest.mark.parametrize("step", range(8))
def test_cut_off_anywhere_nothing_is_lost_and_repeating_finishes(
    script: Script, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    before = settings.SECRET_KEY
    cut_at(step, monkeypatch)
    with pytest.raises(CutOff):
        rotation.rotate()
    monkeypatch.undo()
    start_anew(settings)
    assert variables.for_run(script).secrets == VALUES
    rotation.rotate()
    start_anew(settings)
    assert before != settings.SECRET_KEY
    assert not (settings.DATA_PATH / "secret_key.old").exists()
    assert variables.for_run(script).secrets == VALUES


def cut_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be interrupted at this step: two keys, each with its folder, two rows, the old key, the folder."""
    left = [step]

    def or_end(act: Any) -> Any:
        def cut(*args: Any, **kwargs: Any) -> Any:
            if not left[0]:
                raise CutOff
            left[0] -= 1
            return act(*args, **kwargs)

        return cut

    monkeypatch.setattr(rotation, "_write_key", or_end(rotation._write_key))
    monkeypatch.setattr(encryption, "reencrypt", or_end(encryption.reencrypt))
    monkeypatch.setattr(Path, "unlink", or_end(Path.unlink))
    monkeypatch.setattr(files, "sync_folder", or_end(files.sync_folder))


def test_the_command_says_what_it_did(script: Script) -> None:
    Variable.objects.filter(name="A").update(value="damaged")
    said, errors = io.StringIO(), io.StringIO()
    call_command("rotatesecrets", stdout=said, stderr=errors)
    assert "Encrypted 1 secret anew. A new secret key was made." in said.getvalue()
    assert "A (hello-world) could not be decrypted" in errors.getvalue()


def test_the_command_refuses_while_tempo_runs(script: Script) -> None:
    stored = stored_values()
    lock = engine.take_lock(wait_s=0)
    with pytest.raises(CommandError, match="is running"):
        call_command("rotatesecrets")
    os.close(lock)
    assert stored_values() == stored


def test_the_command_says_when_the_folder_cannot_be_written(
    script: Script, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "secret_key")

    monkeypatch.setattr(rotation, "_write_key", full)
    with pytest.raises(
        CommandError, match=r"No space left on device\. All secrets can still be read"
    ):
        call_command("rotatesecrets")
    assert variables.for_run(script).secrets == VALUES
