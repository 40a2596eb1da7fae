"""A query that is written once asks what the rule says, for each member in each tenant; the database's copy too."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Member, Team
from apps.forms.access import ROLES
from apps.forms.actions import create_form
from apps.forms.models import Form, Grant
from apps.tenants import clock
from apps.tenants.backend.asking import ask
from apps.tenants.context import MissingContext
from apps.tenants.fields import IsAnyOf
from apps.tenants.written import WrittenOnce
from tests.cast import acting_as
from tests.forms import body, published, step


def test_the_database_keeps_the_rule_of_grants_as_the_code_says_it(acme):
    """After a change of `Grant.objects.matching` a migration must replace the function, with the text found here."""
    ids = {"of": acme.id, "form": uuid4(), "member": uuid4()}
    places = {value: f"${number}" for number, value in enumerate(ids.values(), 1)} | {"a role": "$4"}
    with acting_as(acme.owner):
        rows = Grant.objects.matching(Member(pk=ids["member"], role="a role")).filter(form=ids["form"]).values("role")
        text, params = rows.query.sql_with_params()
    expected = text % tuple(places.get(param) or f"'{param}'" for param in params)
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc, prosecdef FROM pg_proc WHERE proname = 'orkestra_roles_on'")
        ((found, is_definer),) = cursor.fetchall()
    words = re.sub(r"([()])", r" \1 ", f"BEGIN RETURN ARRAY({expected}); END").split()
    assert re.sub(r"([()])", r" \1 ", found.strip().removesuffix(";")).split() == words
    assert not is_definer


def test_the_databases_copy_answers_only_within_the_bound_tenant(api, acme, globex):
    published(api, acme.owner, step("a", acme.reviewer))
    with acting_as(acme.owner):
        form = Form.objects.get()
    asked = [acme.id, form.pk, acme.owner.pk, acme.owner.role]
    for member, roles in ((acme.owner, "{OWNER}"), (globex.owner, "{}")):
        with acting_as(member):
            assert ask(connection, ROLES, *asked) == roles


def seats():
    return WrittenOnce(lambda member: Team.objects.filter(memberships__member_id=member).values("pk"), member=uuid4())


def test_the_text_of_one_tenant_serves_the_next_with_its_values(acme, globex):
    mine, theirs = acme.team("Board", acme.editor), globex.team("Board", globex.editor)
    once = seats()
    for company, team in ((acme, mine), (globex, theirs), (acme, mine)):
        with acting_as(company.owner):
            found = Team.objects.filter(IsAnyOf("pk", once.ids(member=company.editor.pk)))
            assert [one.pk for one in found] == [team.pk]
            assert str(company.id) in str(once.sql(member=company.editor.pk))
    with pytest.raises(MissingContext):
        once.ids(member=acme.editor.pk)


def test_a_value_that_the_query_does_not_ask_for_is_refused(acme):
    once = WrittenOnce(lambda member: Team.objects.values("pk"), member=uuid4())
    with acting_as(acme.owner), pytest.raises(TypeError, match="member"):
        once.ids(member=acme.editor.pk)


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
