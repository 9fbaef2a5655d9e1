"""What a user may do in the admin: staff everything, others nothing. Tempo has no roles."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model


class StaffBackend(ModelBackend):
    """Django's log-in by name and password, with one question in place of its table of permissions."""

    def has_perm(
        self,
        user_obj: AbstractBaseUser | AnonymousUser,
        perm: str,
        obj: Model | None = None,
        **_: Any,
    ) -> bool:
        """Whether the user is active staff; which permission is asked for makes no difference."""
        return user_obj.is_active and bool(getattr(user_obj, "is_staff", False))

    def has_module_perms(self, user_obj: AbstractBaseUser | AnonymousUser, app_label: str) -> bool:
        """The same for a whole app."""
        return self.has_perm(user_obj, app_label)
