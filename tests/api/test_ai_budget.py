"""What stops it and what it may cost: each switch alone, the month's budget at both doors, the ledger."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.ai import probes
from apps.audit.models import Entry
from apps.audit.reconcile import reconcile
from apps.flags import actions as flags
from apps.tenants.context import as_system
from tests import database
from tests.ai import allowed, ask, events, page_of, press, run, waiting

OFF = {
    "unconfigured": lambda settings, acme: setattr(settings, "AI_URL", ""),
    "killed": lambda settings, acme: setattr(settings, "AI_KILLED", True),
    "faulty": lambda settings, acme: setattr(settings, "AI_PRICE", ""),
    "not_granted": lambda settings, acme: call_command("ai_budget", "off", acme.slug, stdout=StringIO()),
    "tenant": lambda settings, acme: None,
    "flag": lambda settings, acme: flags.change_flag("ai", is_killed=True),
    "feature": lambda settings, acme: flags.change_flag("ai.summary", is_killed=True),
    "provider": lambda settings, acme: call_command("ai_budget", "provider", "127.0.0.1", "off", stdout=StringIO()),
}


@pytest.fixture
def revived():
    """The flags of all tenants are back when a test ends."""
    yield
    for key in ("ai", "ai.summary"):
        flags.change_flag(key, is_killed=False)
    call_command("ai_budget", "provider", "127.0.0.1", "on", stdout=StringIO())


@pytest.mark.parametrize("reason", OFF)
def test_each_switch_alone_stops_it_and_the_pages_say_so(api, browse, acme, model, settings, revived, reason):
    allowed(acme)
    _submission, task = waiting(api, acme)
    ask(api, acme, task)
    if reason == "tenant":
        assert browse(acme.owner).post(acme.url("settings/ai/switch/"), {"is_on": "off"}).status_code == 302
    OFF[reason](settings, acme)
    assert run(acme) == f"off_{reason}"  # also what was asked for before
    assert model.asked == []
    refused = ask(api, acme, task)
    assert (refused.status_code, refused.json()["code"], refused.json()["reason"]) == (403, "ai_off", reason)
    text = page_of(browse, acme, task)
    assert "AI off" in text
    assert "Summarise" not in text
    assert "AI off" in browse(acme.owner).get(acme.url("settings/ai/")).content.decode()
    found = api.as_(acme.owner).get("/api/v1/ai/usage").json()
    assert (found["is_on"], found["off"]) == (False, reason)
    with as_system(acme.id):
        assert probes.budget().holds is True
        assert "AI off" in str(probes.budget().detail)


def test_a_fresh_installation_says_ai_off_everywhere(api, browse, acme):
    _submission, task = waiting(api, acme)
    assert "AI off" in page_of(browse, acme, task)
    assert "AI off" in browse(acme.owner).get(acme.url("settings/ai/")).content.decode()
    assert "ai_budget" not in [row["resource"] for row in api.as_(acme.owner).get("/api/v1/usage").json()["quotas"]]


def test_over_budget_is_402_at_the_door_and_again_in_the_job(api, browse, acme, model):
    allowed(acme, 10)
    _submission, task = waiting(api, acme)
    answer = ask(api, acme, task)
    assert answer.status_code == 402
    found = answer.json()
    assert (found["code"], found["limit_source"], found["limit"], found["used"]) == (
        "ai_budget_spent", "ai_budget", 10, 0,
    )  # fmt: skip
    page = press(browse, acme, task, ai="ask", reason="Half a thought")
    assert page.status_code == 402
    assert "The AI budget of this month does not cover this." in page.content.decode()
    assert "Half a thought" in page.content.decode()
    assert model.asked == []
    allowed(acme, 1_000_000)
    ask(api, acme, task)
    allowed(acme, 10)
    assert run(acme) == "budget"
    assert model.asked == []
    assert events(acme) == []


def test_each_attempt_is_an_entry_of_the_audit_log_that_says_what_the_ledger_says_and_no_word_of_it(api, acme, model):
    allowed(acme, 10)
    submission, task = waiting(api, acme, item="Very private lathe")
    assert ask(api, acme, task).status_code == 402
    allowed(acme)
    ask(api, acme, task)
    assert run(acme) == "done"
    with as_system(acme.id):
        rows = Entry.objects.filter(action="ai.called", target_id=submission).order_by("time")
        refused, done = (row.document for row in rows)
    assert (refused["outcome"], refused["facts"]["result"], refused["actor"]["id"]) == (
        "refused", "budget", str(acme.reviewer.pk),
    )  # fmt: skip
    (event,) = events(acme)
    assert (done["outcome"], done["targets"][1]["id"]) == ("done", str(event.pk))
    assert all(done["facts"][name] == getattr(event, name) for name in ("settled", "input_tokens", "output_tokens"))
    assert (done["facts"]["for"], done["facts"]["requested_model"]) == (str(acme.reviewer.pk), "small-1")
    assert "private" not in json.dumps([done["facts"], refused["facts"]])
    assert "press brake" not in json.dumps(done)
    with as_system(acme.id):
        assert reconcile().whole
        with database.superuser() as thief:
            thief.execute("UPDATE ai_usageevent SET settled = 1 WHERE tenant_id = %s", [acme.id])
        assert "ai.UsageEvent" in reconcile().reason


def test_the_share_that_is_used_is_what_is_spent_and_held(api, browse, acme, model):
    from apps.ai.actions import reserve
    from tests.faults.test_ai_ledger import charge

    allowed(acme, 1000)
    with as_system(acme.id):
        reserve(charge(), 720)
        assert "AI budget 72 % used" in str(probes.budget().detail)
    (row,) = [
        row for row in api.as_(acme.owner).get("/api/v1/usage").json()["quotas"] if row["resource"] == "ai_budget"
    ]
    assert (row["used"], row["limit"], row["limit_source"], row["unit"]) == (720, 1000, "ai_budget", "micro_usd")
    text = browse(acme.owner).get(acme.url("settings/usage/")).content.decode()
    assert "AI budget this month" in text
    assert "72 % used" in text
    assert "AI budget 72 % used" in browse(acme.owner).get(acme.url("settings/ai/")).content.decode()


def test_an_owner_caps_and_a_member_may_not(browse, acme, model):
    allowed(acme, 1_000_000)
    owner, address = browse(acme.owner), acme.url("settings/ai/cap/")
    assert owner.post(address, {"cap": "0"}).status_code == 302
    assert "of $0.00" in owner.get(acme.url("settings/ai/")).content.decode()
    bad = owner.post(address, {"cap": "much"})
    assert bad.status_code == 422
    assert 'value="much"' in bad.content.decode()
    assert owner.post(address, {"cap": ""}).status_code == 302
    for path in ("settings/ai/cap/", "settings/ai/switch/"):
        assert browse(acme.editor).post(acme.url(path), {"cap": "5", "is_on": "on"}).status_code == 403
        assert owner.get(acme.url(path)).status_code == 405
    assert browse(acme.editor).get(acme.url("settings/ai/")).status_code == 403


def test_an_owner_cannot_switch_on_what_was_not_granted(browse, acme, model):
    answer = browse(acme.owner).post(acme.url("settings/ai/switch/"), {"is_on": "on"})
    assert answer.status_code == 422
    assert "has not given this tenant AI" in answer.content.decode()


def test_the_operators_command_grants_shows_and_takes(acme, model):
    out = StringIO()
    call_command("ai_budget", "set", acme.slug, "12.50", stdout=out)
    call_command("ai_budget", "show", stdout=out)
    assert f"{acme.slug}: granted, off, $0.00 of $12.50" in out.getvalue()
    assert "small-1 at 127.0.0.1" in out.getvalue()
    for words in (["set", acme.slug], ["set", acme.slug, "much"], ["set", acme.slug, "-1"], ["set", "nobody", "1"]):
        with pytest.raises(CommandError):
            call_command("ai_budget", *words)


def test_owners_read_the_ledger_and_nobody_else_does(api, acme, globex, model):
    allowed(acme)
    _submission, task = waiting(api, acme)
    ask(api, acme, task)
    run(acme)
    (row,) = api.as_(acme.owner).get("/api/v1/ai/events").json()["results"]
    assert (row["settled"], row["actor"], row["outcome"]) == (520, str(acme.reviewer.pk), "answered")
    assert len(row["prompt_sha256"]) == 64
    assert api.as_(globex.owner).get("/api/v1/ai/events").json()["results"] == []
    assert api.as_(globex.owner).get(f"/api/v1/ai/events/{row['id']}").status_code == 404
    for member in (acme.editor, acme.reviewer, acme.viewer):
        assert api.as_(member).get("/api/v1/ai/events").status_code == 403
        assert api.as_(member).get("/api/v1/ai/usage").status_code == 403
