"""The site of the Django admin: only what our rooms register, and their pages that stand for no table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _

from .slots import PlatformPage, slots

SHOWN = "apps."


def _log_out(request: HttpRequest) -> HttpResponse:
    """The header's button goes on to the one way to sign out, its POST with it (307)."""
    return redirect("account_logout", preserve_request=True)


def _change_password(request: HttpRequest) -> HttpResponse:
    return redirect("account_change_password")


# Django's own views would run as the platform, which only reads sessions and people, and count no guesses.
ELSEWHERE = [
    path("logout/", _log_out, name="logout"),
    path("password_change/", _change_password, name="password_change"),
    path("password_change/done/", _change_password, name="password_change_done"),
]


class PlatformSite(AdminSite):
    """What libraries register for tables of theirs stays out: roles are our matrix, addresses belong to their user."""

    site_title = "Orkestra"
    site_header = "Orkestra · Super Admin"
    index_title = "All tenants of this installation"
    enable_nav_sidebar = False

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        if getattr(admin_class, "__module__", "").startswith(SHOWN):
            super().register(model_or_iterable, admin_class, **options)

    def get_urls(self) -> list[Any]:
        pages = [path(f"{page.key}/", self._view(page), name=f"platform_{page.key}") for page in slots.platform_pages]
        return [*ELSEWHERE, *pages, *super().get_urls()]

    def _view(self, page: PlatformPage) -> Callable[..., HttpResponse]:
        return self.admin_view(partial(self._show, page=page))

    def _show(self, request: HttpRequest, *, page: PlatformPage) -> HttpResponse:
        answer: HttpResponse = page.view(request, {**self.each_context(request), "title": page.title})
        return answer

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The tables by room, and before them the pages that stand for none."""
        tables = super().get_app_list(request, app_label)
        if app_label or not list(slots.platform_pages):
            return tables
        pages = [
            {
                "name": page.title,
                "object_name": page.key,
                "admin_url": reverse(f"admin:platform_{page.key}"),
                "add_url": None,
                "view_only": True,
                "perms": {"view": True},
            }
            for page in slots.platform_pages
        ]
        checks = {"name": _("Checks"), "app_label": "checks", "app_url": reverse("admin:index"), "models": pages}
        return [{**checks, "has_module_perms": True}, *tables]
