"""Changes of users: one active user of the staff always stays, and no user takes the admin from themselves."""

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from tempo_site.audit import trail


class UserRefused(ValueError):
    """A user stays unchanged; the text says why and what to do, `field` is the field of the form that caused this."""

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


@sensitive_variables()
def make_admin(name: str, password: str) -> bool:
    """Make an admin, or give the admin of this name another password; return whether it is a new one.

    Raise UserRefused for the name of a user who is no admin, and ValidationError for what cannot be stored.
    """
    user = User.objects.filter(username=name).first()
    is_new = user is None
    if user is None:
        user = User(username=name)
    elif not user.is_superuser:
        raise UserRefused(f"There is a user `{name}` who is no admin; nothing was changed.")
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    validate_password(password, user)
    user.full_clean()
    with transaction.atomic():
        user.save()
        trail.record("created" if is_new else "changed the password of", user)
    return is_new


def check(user: User, *, is_active: bool, is_staff: bool, by: User) -> None:
    """Raise UserRefused when no user could enter the admin after this change, or `by` could not any more."""
    if is_active and is_staff:
        return
    field = "is_active" if is_staff else "is_staff"
    if user.pk == by.pk and user.is_staff:
        sentence = "You cannot take the admin from yourself.\nhint: ask another user of the staff"
        raise UserRefused(sentence, field=field)
    if _is_last_staff(user):
        raise UserRefused(
            f"`{user.get_username()}` is the last active user of the staff: "
            "without one nobody could enter the admin.\n"
            "hint: make someone else staff first",
            field=field,
        )


def check_delete(user: User, *, by: User) -> None:
    """Raise UserRefused for oneself and for the last active user of the staff."""
    if user.pk == by.pk:
        raise UserRefused("You cannot delete yourself.\nhint: ask another user of the staff")
    check(user, is_active=False, is_staff=False, by=by)


def delete(user: User, *, by: User) -> None:
    """Delete a user; scripts, versions, runs and API keys stay. Raises UserRefused."""
    with transaction.atomic():
        check_delete(user, by=by)
        trail.record("deleted", user)
        user.delete()


def _is_last_staff(user: User) -> bool:
    staff = User.objects.filter(is_active=True, is_staff=True)
    return staff.filter(pk=user.pk).exists() and not staff.exclude(pk=user.pk).exists()
