"""A question that is asked without a cursor is bound, refused and begun as every statement is."""

from __future__ import annotations

import os

import psycopg
import pytest
from django.db import DatabaseError, InternalError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg.pq import TransactionStatus

from apps.audit.models import Entry
from apps.tenants.backend import base
from apps.tenants.backend.asking import ask
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID
from tests.cast import acting_as

BOUND = "orkestra_tenant"
pytestmark = pytest.mark.database


@pytest.fixture(autouse=True, params=["statement", "transaction"])
def _mode(request, wall, monkeypatch):
    connection.ensure_connection()
    monkeypatch.setitem(connection.settings_dict, "BIND_MODE", request.param)


def status():
    return connection.connection.info.transaction_status


def test_each_question_is_bound_to_the_tenant_in_force(acme, globex):
    for company in (acme, globex, acme):
        with acting_as(company.owner):
            assert ask(connection, BOUND) == str(company.id)
    with tenant_context(TenantContext()):
        assert ask(connection, BOUND) == ""


def test_a_forged_binding_is_refused_for_a_question_too_and_recorded(acme, monkeypatch):
    with as_system(PLATFORM_TENANT_ID):
        before = Entry.objects.filter(action="context.forged").count()
    first = [f"k.{acme.id}..9999999999.{'0' * 64}"]
    honest = base.bound_value
    monkeypatch.setattr(base, "bound_value", lambda *given: first.pop() if first else honest(*given))
    with acting_as(acme.owner), pytest.raises(DatabaseError, match="not signed by a key in force"):
        ask(connection, BOUND)
    with as_system(PLATFORM_TENANT_ID):
        assert Entry.objects.filter(action="context.forged").count() == before + 1


@pytest.mark.parametrize("text", ["o'neil'); DROP TABLE forms_form; --", "\\' OR true", "wörk", "%s {} $1", ""])
def test_a_text_stays_a_text(text):
    assert ask(connection, "quote_ident", text).strip('"') == text


@pytest.mark.parametrize("value", [None, 1, b"OWNER", ["OWNER"]])
def test_nothing_but_uuids_and_texts_is_put_into_a_question(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        ask(connection, "quote_ident", value)


def test_the_first_question_of_a_transaction_begins_it():
    with transaction.atomic():
        ask(connection, "now")
        assert status() == TransactionStatus.INTRANS
    assert status() == TransactionStatus.IDLE


def test_a_question_that_fails_ends_its_transaction_as_any_statement_does():
    with transaction.atomic():
        with pytest.raises(Exception, match="division by zero"), transaction.atomic():
            ask(connection, "div", "1", "0")
        assert ask(connection, "lower", "AFTER") == "after"
    with transaction.atomic():
        with pytest.raises(Exception, match="division by zero"):
            ask(connection, "div", "1", "0")
        with pytest.raises(InternalError):
            ask(connection, "now")
        transaction.set_rollback(True)
    assert ask(connection, "lower", "AFTER") == "after"


def test_a_lost_connection_is_told_as_one():
    with psycopg.connect(os.environ["ORKESTRA_TEST_ADMIN_URL"]) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
    for _ in range(2):
        with pytest.raises(OperationalError):
            ask(connection, "now")
    connection.close()
    assert ask(connection, "lower", "BACK") == "back"


def test_who_reads_the_log_of_queries_sees_questions():
    with CaptureQueriesContext(connection) as queries:
        ask(connection, "lower", "SEEN")
    assert "SELECT lower('SEEN')" in queries.captured_queries[-1]["sql"]
