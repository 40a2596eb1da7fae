"""The rule of grants, kept as functions that the database plans only once: word for word the code's, behind the wall."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Member
from apps.forms.actions import create_form
from apps.forms.models import ROLES_ON, WORKING, Form, Grant, held_as
from apps.tenants import clock
from apps.tenants.backend.asking import ask
from apps.tenants.context import MissingContext
from tests.cast import acting_as
from tests.forms import body, published, step


def copy_of(function: str) -> list[str]:
    """The words of a function of the database, which must not run as its owner."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc, prosecdef FROM pg_proc WHERE proname = %s", [function])
        ((found, is_definer),) = cursor.fetchall()
    assert not is_definer
    return words(found.strip().removesuffix(";"))


def words(text: str) -> list[str]:
    return re.sub(r"([()])", r" \1 ", text).split()


def as_function(query: Any, **places: Any) -> list[str]:
    """What a function must say to be this query, with `$1` and so on in its places."""
    numbered = {value: f"${number}" for number, value in enumerate(places.values(), 1)}
    text, params = query.query.sql_with_params()
    written = text % tuple(numbered.get(param) or f"'{param}'" for param in params)
    return words(f"BEGIN RETURN ARRAY({written}); END")


def test_the_database_keeps_the_rule_of_grants_as_the_code_says_it(acme):
    """After a change of `Grant.objects.matching` a migration must replace both functions, with the text found here."""
    somebody, form = Member(pk=uuid4(), role="a role"), uuid4()
    with acting_as(acme.owner):
        rows = Grant.objects.matching(somebody)
        on_one = rows.filter(form=form).values("role")
        on_any = rows.filter(role__in=["a grant"]).values("form_id")
    roles = as_function(on_one, of=acme.id, form=form, member=somebody.pk, role=somebody.role)
    assert copy_of("orkestra_roles_on") == roles
    held = as_function(on_any, of=acme.id, member=somebody.pk, role=somebody.role, roles="a grant")
    assert " ".join(copy_of("orkestra_forms_held")).replace("= ANY ( $4 )", "IN ( $4 )") == " ".join(held)


def test_the_databases_copy_answers_only_within_the_bound_tenant(api, acme, globex):
    published(api, acme.owner, step("a", acme.reviewer))
    with acting_as(acme.owner):
        form = Form.objects.get()
    asked = [acme.id, form.pk, acme.owner.pk, acme.owner.role]
    for member, roles in ((acme.owner, "{OWNER}"), (globex.owner, "{}")):
        with acting_as(member):
            assert ask(connection, ROLES_ON, *asked) == roles
            held = Form.objects.granted_to(acme.owner, *WORKING)
            assert {one.pk for one in held} == ({form.pk} if roles == "{OWNER}" else set())
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT orkestra_forms_held(%s, %s, %s, %s)", [acme.id, acme.owner.pk, "owner", ["OWNER"]]
                )
                assert cursor.fetchone()[0] == ([form.pk] if roles == "{OWNER}" else [])


def test_no_form_is_asked_for_where_no_tenant_is_known(acme):
    with pytest.raises(MissingContext):
        held_as(acme.owner, *WORKING)


def test_the_page_of_forms_reads_no_draft_and_shows_fifty_at_a_time(api, browse, acme):
    published(api, acme.owner, step("a", acme.reviewer))
    draft = body(step("a", acme.reviewer)) | {"title": "Leave %"}
    with acting_as(acme.owner):
        first = create_form(by=acme.owner, **draft | {"slug": "leave-0"})
        for number in range(1, 50):
            first.pk, first.slug, first.created_at = uuid4(), f"leave-{number}", clock.now()
            first.save(force_insert=True)
            Grant.objects.create(form=first, principal_type="ROLE", principal_role="owner", role="EDITOR")
    page = browse(acme.owner)
    with CaptureQueriesContext(connection) as queries:
        shown = page.get(acme.url("forms/")).content.decode()
    assert not [
        one for one in queries.captured_queries if re.search(r'"forms_form(version)?"\."(schema|ui|path)"', one["sql"])
    ]
    assert "leave-49/" in shown
    assert "request/" not in shown  # the oldest
    older = re.search(r'href="(\?before=[^"]+)" rel="next"', shown)
    assert older
    rest = page.get(acme.url("forms/") + older[1].replace("&amp;", "&")).content.decode()
    assert "version 1" in rest
    assert "leave-" not in rest
    found = page.get(acme.url("forms/?q=eave+%25")).content.decode()
    assert "leave-0/" in found
    assert "request/" not in found
    assert "Nothing fits these filters" in page.get(acme.url("forms/?q=nowhere")).content.decode()
