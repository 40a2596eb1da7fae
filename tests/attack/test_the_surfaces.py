"""Surfaces: a process that serves tenants has no door and no password of the platform, and the other way round."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from orkestra.runtime.supervisor import NOT_FOR_SERVING, _of_surface, without
from orkestra.settings.config import Config
from orkestra.settings.databases import databases

APP = "postgresql://orkestra_app@/orkestra"
PLATFORM = "postgresql://orkestra_platform@/orkestra"


def test_the_tenant_surface_has_no_door_of_the_platform(api, browse, acme, settings):
    settings.SURFACE = "tenant"
    assert browse(acme.owner).get(acme.url()).status_code == 200
    for path in ("/admin/", "/admin/tenants/tenant/", "/api/v1/platform/audit/verify"):
        assert browse(acme.owner).get(path).status_code == 404
    assert api.as_(acme.owner.user).post("/api/v1/platform/audit/verify").status_code == 404


def test_the_platform_surface_has_no_door_of_a_tenant(api, browse, acme, settings):
    settings.SURFACE = "platform"
    assert browse(acme.owner).get(acme.url()).status_code == 404
    assert api.as_(acme.owner).get("/api/v1/forms").status_code == 404


def test_the_tenant_surface_refuses_to_hold_the_platforms_password(tmp_path):
    given = {"ORKESTRA_HOME": str(tmp_path), "DATABASE_URL": APP, "ORKESTRA_SURFACE": "tenant"}
    assert "platform" not in databases(Config(given))
    with pytest.raises(ImproperlyConfigured, match="must not hold"):
        databases(Config(given | {"DATABASE_PLATFORM_URL": PLATFORM}))
    assert "platform" in databases(Config(given | {"DATABASE_PLATFORM_URL": PLATFORM, "ORKESTRA_SURFACE": "all"}))


def test_an_unknown_surface_is_refused_in_one_sentence(tmp_path, repository):
    given = {"ORKESTRA_HOME": str(tmp_path), "ORKESTRA_SURFACE": "everything", "PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=repository, env=given, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "ORKESTRA_SURFACE is tenant, platform or all." in run.stderr


def test_the_supervisor_hands_the_tenant_surface_no_platform_address():
    given = {"DATABASE_URL": APP, "DATABASE_PLATFORM_URL": PLATFORM, "ORKESTRA_SURFACE": "tenant"}
    assert "DATABASE_PLATFORM_URL" not in _of_surface(given)
    assert "DATABASE_PLATFORM_URL" in _of_surface(given | {"ORKESTRA_SURFACE": "all"})


@pytest.mark.parametrize("name", sorted(NOT_FOR_SERVING))
def test_web_and_worker_get_no_password_that_they_do_not_need_not_even_by_a_file(name):
    given = {"DATABASE_URL": APP, "ORKESTRA_SECRET_KEY_FILE": "/run/secrets/django"}
    assert without(given | {name: "x", f"{name}_FILE": "/run/secrets/x"}, NOT_FOR_SERVING) == given
