"""A log is read in spans: entries sealed in another order than they were written, a place twice, names that end the text."""

from __future__ import annotations

import pytest
from django.db import transaction

from apps.audit import actions, spans, walk
from apps.audit.actions import Target, record
from apps.audit.models import Entry, Seal
from apps.audit.sealer import seal
from apps.audit.walk import Kind
from apps.tenants.ids import new_id
from tests import database
from tests.attack.standing import attack
from tests.attack.test_the_audit_log import verdict
from tests.cast import acting_as


@pytest.fixture
def turned(acme, monkeypatch):
    """A log whose last entry was begun before the two that are sealed before it, as a long transaction's is."""
    early = new_id()
    write(acme, "Later"), write(acme, "Last")
    monkeypatch.setattr(actions, "new_id", lambda: early)
    write(acme, "Early")
    assert list(rows(acme)) != sorted(rows(acme))
    return acme


def write(company, label):
    """One entry about two objects, sealed."""
    with acting_as(company.owner), transaction.atomic():
        record("team.created", Target("team", new_id(), label), Target("member", company.editor.pk))
    seal(company.id)


def rows(company):
    """The ids of the entries in the order of the log."""
    with acting_as(company.owner):
        return list(Seal.objects.order_by("seq").values_list("entry_id", flat=True))


@pytest.mark.parametrize("length", [1, 2, spans.SPAN])
def test_entries_that_were_sealed_in_another_order_are_whole_at_the_first_look(turned, monkeypatch, length):
    monkeypatch.setattr(spans, "SPAN", length)
    monkeypatch.setattr(walk, "_slowly", lambda span, found: pytest.fail(f"{span.start} is read again"))
    found = verdict(turned)
    assert (found.whole, found.sealed) == (True, len(rows(turned)))


@pytest.mark.parametrize("back", [1, 2, 3])
@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("UPDATE audit_entry SET body = set_byte(body, 30, 120) WHERE id = %(entry)s", Kind.ENTRY_CHANGED),
        ("UPDATE audit_entry SET target_label = 'Another' WHERE id = %(entry)s", Kind.DISPLAY_CHANGED),
        ("DELETE FROM audit_entry WHERE id = %(entry)s", Kind.ENTRY_MISSING),
    ],
)
def test_what_is_done_to_them_is_found_at_its_own_place(turned, how, kind, back):
    entries = rows(turned)
    attack(how, entry=entries[-back])
    found = verdict(turned)
    assert (found.kind, found.first_bad) == (kind, len(entries) - back)


@pytest.mark.parametrize("between", ["\\x0a", "\\x0a00"])
def test_the_bytes_of_a_missing_entry_behind_those_of_another_are_found(acme, between):
    for label in ("One", "Two"):
        write(acme, label)
    one, two = rows(acme)[-2:]
    attack(
        "UPDATE audit_entry SET body = body || %(between)s::bytea || (SELECT body FROM audit_entry WHERE id = %(two)s) WHERE id = %(one)s",
        "DELETE FROM audit_entry WHERE id = %(two)s", one=one, two=two, between=between,
    )  # fmt: skip
    found = verdict(acme)
    assert (found.kind, found.first_bad) == (Kind.ENTRY_CHANGED, len(rows(acme)) - 2)


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ('The "best" one', r"The \"best\" one"),
        (r"C:\forms", r"C:\\forms"),
        ("Ligne\nsuivante", r"Ligne\nsuivante"),
        ("Zoë", "Zoe"),
    ],
)
def test_a_label_that_needs_escaping_is_compared_as_what_it_says(acme, label, shown):
    write(acme, label)
    assert verdict(acme).whole
    attack("UPDATE audit_entry SET target_label = %(shown)s WHERE id = %(entry)s", shown=shown, entry=rows(acme)[-1])
    found = verdict(acme)
    assert (found.kind, found.first_bad) == (Kind.DISPLAY_CHANGED, len(rows(acme)) - 1)


def test_a_place_that_is_there_twice_instead_of_its_neighbour_is_found(acme):
    """As a superuser would begin: the index that forbids it goes."""
    for label in ("One", "Two"):
        write(acme, label)
    last = len(rows(acme)) - 1
    with database.superuser() as admin:
        (made,) = admin.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'audit_seal_seq'"
        ).fetchone()
        admin.execute("ALTER TABLE audit_seal DROP CONSTRAINT audit_seal_seq")
    try:
        turn = "UPDATE audit_seal SET seq = seq + %(by)s WHERE entry_id = %(entry)s"
        attack(turn, entry=rows(acme)[last - 1], by=1)
        found = verdict(acme)
        attack(turn, entry=rows(acme)[last - 1], by=-1)
        assert (found.kind, found.first_bad) == (Kind.GAP, last - 1)
    finally:
        with database.superuser() as admin:
            admin.execute(f"ALTER TABLE audit_seal ADD CONSTRAINT audit_seal_seq {made}")


# A name that goes on as the bytes do, as far as a quote that stands there too.
NAMES = {
    "outcome": ("done", 'done","request_id'),
    "actor_type": ("member", 'member"},"credential":"session","facts":{},"id":"<id>","impersonator":null,"log":"<log>'),
    "target_type": ("team", 'team"},{"id":"<second>","label":"","type":"member'),
}


@pytest.mark.parametrize("column", NAMES)
def test_a_name_that_swallows_what_follows_it_is_found(acme, column):
    """As a superuser would begin: the column takes longer names."""
    write(acme, "One")
    pk = rows(acme)[-1]
    with acting_as(acme.owner):
        entry = Entry.objects.get(pk=pk)
    name, longer = NAMES[column]
    assert getattr(entry, column) == name
    values = {"id": str(pk), "log": str(acme.id), "second": str(acme.editor.pk)}
    for key, value in values.items():
        longer = longer.replace(f"<{key}>", value)
    assert longer in bytes(entry.body).decode(), "the bytes go on like that"
    length = Entry._meta.get_field(column).max_length
    with database.superuser() as admin:
        admin.execute(f"ALTER TABLE audit_entry ALTER {column} TYPE text")
    try:
        attack(f"UPDATE audit_entry SET {column} = %(to)s WHERE id = %(entry)s", entry=pk, to=longer)
        found = verdict(acme)
    finally:
        attack(f"UPDATE audit_entry SET {column} = %(to)s WHERE id = %(entry)s", entry=pk, to=name)
        with database.superuser() as admin:
            admin.execute(f"ALTER TABLE audit_entry ALTER {column} TYPE varchar({length})")
    assert (found.kind, found.first_bad) == (Kind.DISPLAY_CHANGED, len(rows(acme)) - 1)
