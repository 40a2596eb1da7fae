"""Rows that are inserted together: what `save` would have written, all or none, and behind the same wall."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Team, TeamMember
from apps.audit.actions import record
from apps.audit.models import Entry, PrivateValue, Receipt
from apps.tenants.caller import Caller, called_by
from apps.tenants.inserting import insert_together
from tests.cast import acting_as

BOARD = {"name": "Board", "slug": "board"}


def columns(row, *but):
    return {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.attname not in but
    }


def test_they_are_read_back_as_if_each_had_been_saved(acme):
    with acting_as(acme.owner):
        saved, together = Team(**BOARD), Team(**BOARD | {"slug": "board-2"})
        saved.save(force_insert=True)
        seats = [TeamMember(team=together, member=member) for member in (acme.owner, acme.editor)]
        insert_together(together, *seats)
        found = Team.objects.get(pk=together.pk)
        assert columns(found, "id", "slug", "created_at") == columns(saved, "id", "slug", "created_at")
        assert {seat.member_id for seat in found.memberships.all()} == {acme.owner.pk, acme.editor.pk}
        together.name = "Renamed"
        together.save()  # it knows that it stands in the database
        assert Team.objects.count() == 2


def test_one_that_cannot_be_leaves_none(acme):
    with acting_as(acme.owner):
        Team(**BOARD).save(force_insert=True)
        again = Team(**BOARD)
        with pytest.raises(IntegrityError), transaction.atomic():
            insert_together(TeamMember(team=again, member=acme.owner), again)
        assert not TeamMember.objects.exists()


def test_none_of_another_tenant_gets_in(acme, globex):
    with acting_as(acme.owner):
        mine = Team(**BOARD)
        for theirs in (
            Team(**BOARD, tenant=globex.tenant),
            TeamMember(team=mine, member=acme.owner, tenant=globex.tenant),
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                insert_together(mine, theirs)
        assert not Team.objects.exists()
    with acting_as(globex.owner):
        assert not Team.objects.exists()


def test_an_act_with_all_that_stands_beside_it_is_one_statement(acme):
    caller = Caller(address="203.0.113.9", agent="A browser")
    with acting_as(acme.owner), called_by(caller), transaction.atomic():
        record("form.changed", acme.tenant, receipt=True)
        with CaptureQueriesContext(connection) as statements:
            entry = record("form.changed", acme.tenant, receipt=True)
        assert len(statements) == 1
        assert {one.value for one in PrivateValue.objects.filter(entry=entry)} == {"203.0.113.9", "A browser"}
        assert Receipt.objects.get(entry=entry).note
        assert columns(Entry.objects.get(pk=entry.pk)) == columns(entry)
