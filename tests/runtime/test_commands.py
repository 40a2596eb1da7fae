"""The commands of an operator, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.db import connections

from apps.audit.models import Seal
from apps.audit.sealer import seal
from apps.tenants.context import as_system
from tests import database

from .conftest import PROJECT


def manage(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py …` on this test's database."""
    name = str(connections["default"].settings_dict["NAME"])
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=PROJECT,
        env=os.environ | database.urls(name) | environment,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def test_a_whole_log_is_said_to_be_whole(acme):
    done = manage("verify_audit", "--tenant", acme.slug)
    assert done.returncode == 0, done.stderr
    assert f"{acme.slug}" in done.stdout
    assert "whole" in done.stdout


@pytest.mark.parametrize("seq", [0, 3])
def test_one_changed_byte_is_named_by_its_number(acme, seq):
    seal(acme.id)
    with as_system(acme.id):
        entry = Seal.objects.get(seq=seq).entry_id
    with database.superuser() as attacker:
        attacker.execute(
            "UPDATE audit_entry SET body = set_byte(body, 9, get_byte(body, 9) # 1) WHERE id = %s", [entry]
        )
    done = manage("verify_audit", "--tenant", acme.slug)
    assert done.returncode == 1
    assert f"#{seq}:" in done.stdout


@pytest.mark.every_tenant
def test_one_broken_log_does_not_hide_the_others(acme, globex):
    seal(acme.id)
    with database.superuser() as attacker:
        attacker.execute("DELETE FROM audit_seal WHERE tenant_id = %s AND seq = 1", [acme.id])
    done = manage("verify_audit")
    assert done.returncode == 1
    lines = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line}
    assert (lines[acme.slug], lines[globex.slug]) == ("TAMPERED", "whole")


def test_it_says_when_it_could_not_verify(acme):
    assert manage("verify_audit", "--tenant", "there-is-none").returncode == 4
    nowhere = "postgresql://orkestra_app:x@127.0.0.1:1/none"
    done = manage("verify_audit", DATABASE_URL=nowhere, DATABASE_PLATFORM_URL=nowhere, DATABASE_SEALER_URL=nowhere)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


def test_every_variable_is_listed_with_its_source_and_no_secret_is_shown(acme):
    secret = os.environ["ORKESTRA_SECRET_KEY"]
    done = manage("check_config", ORKESTRA_PORT="8123")
    assert done.returncode == 0, done.stdout + done.stderr
    assert secret not in done.stdout
    assert "ORKESTRA_PORT" in done.stdout
    assert "8123" in done.stdout
    assert "DATABASE_SEALER_URL" in done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "mysql://x"), ("EMAIL_URL", "pigeon://x"), ("ORKESTRA_BIND_MODE", "sometimes")],
)
def test_a_wrong_variable_is_named_in_one_sentence(acme, name, value):
    done = manage("check_config", **{name: value})
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert name in said
    assert "Traceback" not in said


WRONG = {
    "ORKESTRA_SIGNING_KEY": "garbage",
    "ORKESTRA_AUDIT_KEY": "garbage",
    "ORKESTRA_AUDIT_ANCHORS": "ftp://x",
    "ORKESTRA_AI_URL": "ftp://x",
    "ORKESTRA_AI_PRICE": "abc",
    "ORKESTRA_DNS": "nowhere",
    "ORKESTRA_PUBLIC_URL": "http://orkestra.example",
    "ORKESTRA_DEBUG": "1",
    "REDIS_URL": "notaurl",
    "DATABASE_OWNER_URL": "",
    "DATABASE_BACKUP_URL": "",
}


def test_everything_that_is_wrong_is_named(acme):
    done = manage("check_config", **WRONG)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    named = {line.removeprefix("CommandError: ").split(":")[0] for line in done.stderr.splitlines()}
    assert named == {*WRONG}
    assert "ORKESTRA_DEMO_PASSWORD" in done.stdout


def test_the_web_refuses_to_start_as_a_role_that_could_pass_the_wall(acme):
    name = str(connections["default"].settings_dict["NAME"])
    done = manage("work", DATABASE_URL=database.admin_url(name))
    assert done.returncode != 0
    assert "superuser" in (done.stdout + done.stderr).lower()


def test_the_web_refuses_to_start_behind_a_broken_wall(acme):
    with database.superuser() as attacker:
        attacker.execute("ALTER TABLE forms_form NO FORCE ROW LEVEL SECURITY")
        try:
            done = manage("work")
        finally:
            attacker.execute("ALTER TABLE forms_form FORCE ROW LEVEL SECURITY")
    assert done.returncode != 0
    assert "forms_form" in done.stdout + done.stderr


FOR_FEW = {"cel", "dns", "genai_prices", "openai", "stripe"}


def test_a_process_loads_no_library_that_only_few_need(acme):
    """Together they took as long to load as everything else: no command, worker or web process waits for them."""
    done = manage("shell", "-v", "0", "-c", f"import sys; print({FOR_FEW} & set(sys.modules))")
    assert done.stdout.split() == ["set()"], done.stderr
