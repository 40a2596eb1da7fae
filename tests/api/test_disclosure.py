"""Reports of vulnerabilities of the installation itself: the form, security.txt, and what is measured."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.forms.actions.disclosure import SLUG, open_disclosure
from apps.tenants.refusals import Refused
from apps.trust import disclosure, views
from apps.trust.disclosure import measure
from apps.trust.recent import Recent
from tests.cast import acting_as

BERLIN = ZoneInfo("Europe/Berlin")
REPORT = {"affected": "/login", "kind": "CWE-287", "description": "It lets me in.", "steps": "Open it.", "do": "send"}


@pytest.fixture
def open_form(acme, settings, monkeypatch):
    """ACME takes the reports of this installation."""
    settings.DISCLOSURE_TENANT = acme.slug
    monkeypatch.setattr(views, "_recent", Recent(views._public_state))
    with acting_as(acme.owner):
        people = [acme.owner, acme.reviewer]
        return open_disclosure(by=acme.owner, triage=people, owners=people)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def decide(api, person, verdict="approve", reason=""):
    (task,) = api.as_(person).get("/api/v1/tasks").json()["results"]
    asked = {"verdict": verdict, "revision": task["revision"], "reason": reason}
    return api.as_(person).post(f"/api/v1/tasks/{task['id']}/decide", asked)


def test_a_report_goes_all_the_way_and_its_fix_is_verified_by_another(api, client_of, acme, open_form):
    link = client_of.post(f"/f/{acme.slug}/{SLUG}/", REPORT)["Location"]
    assert decide(api, acme.owner).status_code == 201
    assert decide(api, acme.owner).status_code == 201  # confirms
    assert api.as_(acme.owner).get("/api/v1/tasks").json()["results"] == []
    text = client_of.get(link).content.decode()
    assert "Confirmed by the owner" in text
    assert decide(api, acme.reviewer).status_code == 201
    assert "completed" in client_of.get(link).content.decode()


def test_security_txt_and_the_page_name_the_form_while_it_is_open(api, client_of, acme, open_form):
    address = f"/f/{acme.slug}/{SLUG}/"
    text = client_of.get("/.well-known/security.txt").content.decode()
    assert address in text.splitlines()[0]
    assert "mailto:" in text
    page = client_of.get("/security").content.decode()
    assert address in page
    assert "No report yet" in page
    api.as_(acme.owner).patch(f"/api/v1/forms/{open_form.pk}", {"filling": "members"})
    assert address not in client_of.get("/.well-known/security.txt").content.decode()


def test_the_figure_is_measured_from_the_cases(api, client_of, acme, open_form):
    client_of.post(f"/f/{acme.slug}/{SLUG}/", REPORT)
    assert disclosure.answered() == disclosure.Answered(total=1, waiting=1)
    decide(api, acme.owner)
    found = disclosure.answered()
    assert (found.total, found.in_time, found.late, found.waiting) == (1, 1, 0, 0)
    assert "1 of 1 reports were acknowledged" in client_of.get("/security").content.decode()
    assert disclosure.probe().holds is True


def test_without_a_form_nothing_is_claimed_of_it(client_of, settings):
    settings.DISCLOSURE_TENANT = "nobody-here"
    assert disclosure.probe().holds is None
    assert "Contact: mailto:" in client_of.get("/.well-known/security.txt").content.decode().splitlines()[0]


def test_one_person_alone_cannot_take_reports(acme):
    with acting_as(acme.owner), pytest.raises(Refused):
        open_disclosure(by=acme.owner, triage=[acme.owner], owners=[acme.owner, acme.owner])


@pytest.mark.parametrize(
    ("arrived", "answered", "now", "figures"),
    [
        ("2026-11-20T16:00", "2026-11-23T17:00", "2026-11-30T09:00", (1, 0, 0)),  # Friday to Monday, at the last minute
        ("2026-11-20T16:00", "2026-11-23T17:01", "2026-11-30T09:00", (0, 1, 0)),
        ("2026-11-21T10:00", "2026-11-23T16:59", "2026-11-30T09:00", (1, 0, 0)),  # sent on a Saturday
        ("2026-11-23T09:00", None, "2026-11-24T16:00", (0, 0, 1)),
        ("2026-11-23T09:00", None, "2026-11-24T17:01", (0, 1, 0)),  # nobody answered: late, not left out
    ],
)
def test_a_business_day_is_counted_in_the_tenants_zone(arrived, answered, now, figures):
    found = measure([(at(arrived), at(answered) if answered else None)], BERLIN, at(now))
    assert (found.in_time, found.late, found.waiting) == figures


def test_a_weekend_stops_the_clock_of_the_median():
    found = measure([(at("2026-11-20T23:00"), at("2026-11-23T02:00"))], BERLIN, at("2026-11-24T02:00"))
    assert disclosure.in_hours(found.median) == "3 h"
