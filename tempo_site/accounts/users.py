"""Users: someone who can enter the admin always stays, and nobody shuts the door behind themselves."""

from django.contrib.auth.models import User
from django.db import transaction


class UserRefused(ValueError):
    """A user stays as they are; the text says why and what to do, `field` where it belongs."""

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


def check(user: User, *, is_active: bool, is_staff: bool, by: User) -> None:
    """Raise UserRefused when nobody could enter the admin with the user changed like this, or `by` not any more."""
    if is_active and is_staff:
        return
    if user.pk == by.pk and user.is_staff:
        raise UserRefused(
            "You cannot take the admin from yourself.\nhint: ask another user of the staff",
            field="is_staff" if not is_staff else "is_active",
        )
    if not _is_last_staff(user):
        return
    raise UserRefused(
        f"`{user.get_username()}` is the last active user of the staff: without one nobody could enter the admin.\n"
        "hint: make someone else staff first",
        field="is_staff" if not is_staff else "is_active",
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
        user.delete()


def _is_last_staff(user: User) -> bool:
    staff = User.objects.filter(is_active=True, is_staff=True)
    return staff.filter(pk=user.pk).exists() and not staff.exclude(pk=user.pk).exists()
