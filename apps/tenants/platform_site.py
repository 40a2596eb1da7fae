"""The site of the Django admin: only what our rooms register, and the job queue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models.base import ModelBase

SHOWN = ("apps.", "procrastinate.")


class PlatformSite(AdminSite):
    """What libraries register for their own tables stays out: roles are our matrix, addresses belong to their user."""

    site_title = "Orkestra"
    site_header = "Orkestra · Super Admin"
    index_title = "All tenants of this installation"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        models: Iterable[Any] = [model_or_iterable] if isinstance(model_or_iterable, ModelBase) else model_or_iterable
        super().register([model for model in models if model.__module__.startswith(SHOWN)], admin_class, **options)
