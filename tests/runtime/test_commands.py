"""The commands of an operator, each in a process of its own."""

from __future__ import annotations

import os

import pytest
from django.db import connections

from apps.audit.checkpoints import checkpoint
from apps.audit.models import Seal
from apps.audit.sealer import seal
from apps.tenants.context import as_system
from tests import cast, database

from . import commands
from .commands import Done


def urls() -> dict[str, str]:
    """The way to this test's database."""
    return database.urls(str(connections["default"].settings_dict["NAME"]))


def manage(*command: str, **environment: str) -> Done:
    """`manage.py …` on this test's database."""
    return commands.manage(urls() | environment, *command)


def test_a_whole_log_is_said_to_be_whole_and_one_changed_byte_is_named_by_its_number(acme, globex):
    for company, seq in ((acme, 0), (globex, 3)):
        seal(company.id)
        with as_system(company.id):
            entry = Seal.objects.get(seq=seq).entry_id
        with database.superuser() as attacker:
            attacker.execute(
                "UPDATE audit_entry SET body = set_byte(body, 9, get_byte(body, 9) # 1) WHERE id = %s", [entry]
            )
    untouched = cast.company("initech")
    whole, first, fourth, nobody = commands.manage_all(
        urls(),
        *(["verify_audit", "--tenant", slug] for slug in (untouched.slug, acme.slug, globex.slug, "there-is-none")),
    )
    assert whole.returncode == 0, whole.stderr
    assert untouched.slug in whole.stdout
    assert "whole" in whole.stdout
    assert (first.returncode, fourth.returncode, nobody.returncode) == (1, 1, 4)
    assert "#0:" in first.stdout
    assert "#3:" in fourth.stdout


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
    nowhere = "postgresql://orkestra_app:x@127.0.0.1:1/none"
    done = manage("verify_audit", DATABASE_URL=nowhere, DATABASE_PLATFORM_URL=nowhere, DATABASE_SEALER_URL=nowhere)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


JUDGES = ("verify_audit", "reconcile_audit")


def check_no_verdict(done: Done, *words: str) -> None:
    """It ended with 4 and one line that names what is wrong."""
    assert done.returncode == 4, (done.returncode, done.stderr)
    (line,) = done.stderr.splitlines()
    assert all(word in line for word in words), line


def test_a_wrong_argument_is_no_verdict_on_a_log(acme):
    wrong = {
        "--bogus": ["--bogus"], "--full": ["--full", "--incremental"], "'two'": ["--processes", "two"],
        "--force-color": ["--force-color", "--no-color"], "acme": ["acme"], "--tenant": ["--traceback", "--tenant"],
    }  # fmt: skip
    commands_ = [["verify_audit", *arguments] for arguments in wrong.values()] + [["reconcile_audit", "--bogus"]]
    for done, word in zip(commands.manage_all(urls(), *commands_), [*wrong, "--bogus"], strict=True):
        check_no_verdict(done, word)


@pytest.mark.parametrize("command", JUDGES)
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ORKESTRA_SECRET_KEY", "another secret of at least thirty-two characters", "rotate_context_key"),
        ("DATABASE_URL", "mysql://x", "PostgreSQL"),
        ("ORKESTRA_PORT", "eighty", "whole number"),
    ],
)
def test_a_wrong_variable_is_no_verdict_on_a_log(acme, command, name, value, said):
    check_no_verdict(manage(command, "--tenant", acme.slug, **{name: value}), name, said)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ORKESTRA_AUDIT_KEY": "", "ORKESTRA_AUDIT_KEY_FILE": "/nowhere/key.pem"}, "/nowhere/key.pem"),
        ({"ORKESTRA_AUDIT_KEY": "x"}, "holds no private key"),
    ],
    ids=["a file that is not there", "garbage"],
)
def test_without_the_key_there_is_no_verdict_on_a_log(acme, variables, said):
    seal(acme.id)
    checkpoint(acme.id)
    check_no_verdict(manage("verify_audit", "--tenant", acme.slug, **variables), "ORKESTRA_AUDIT_KEY", said)


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


def test_mails_that_are_printed_are_a_warning_and_no_failure(acme):
    said = {}
    for url in ("", "console:", "smtp://mail.example:25"):
        done = manage("check_config", EMAIL_URL=url)
        assert done.returncode == 0, done.stdout + done.stderr
        said[url] = next(line for line in done.stdout.splitlines() if line.startswith("EMAIL_URL"))
    assert {url for url, line in said.items() if "warning: names no mail server" in line} == {"", "console:"}


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


FOR_FEW = {"cel", "dns", "fido2", "genai_prices", "httpcore", "httpx", "httpx2", "openai", "stripe"}


def test_a_process_loads_no_library_that_only_few_need(acme):
    """Together they took as long to load as everything else: no command, worker or web process waits for them."""
    done = manage("shell", "-v", "0", "-c", f"import sys; print({FOR_FEW} & set(sys.modules))")
    assert done.stdout.split() == ["set()"], done.stderr
