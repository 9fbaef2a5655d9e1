"""Permissions in the admin: staff has all of them, other users have none. Tempo has no roles."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model


class StaffBackend(ModelBackend):
    """Django's log-in by name and password; being staff stands for the table of permissions."""

    def has_perm(
        self,
        user_obj: AbstractBaseUser | AnonymousUser,
        perm: str,
        obj: Model | None = None,
        **_: Any,
    ) -> bool:
        return user_obj.is_active and bool(getattr(user_obj, "is_staff", False))

    def has_module_perms(self, user_obj: AbstractBaseUser | AnonymousUser, app_label: str) -> bool:
        return self.has_perm(user_obj, app_label)
