"""A form that anyone may fill: what a stranger can send, what they see of it afterwards, and what they cannot reach."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.limits import Limit
from apps.audit import keys, note, tree
from apps.audit.models import Entry
from apps.audit.statements import Receipt as Statement
from apps.billing import actions as billing
from apps.billing.rules import Resource
from apps.comms.actions import mail as comms
from apps.comms.models import OutboxMessage
from apps.forms.actions import public as rules
from apps.forms.models import Attachment, Receipt, Submission
from apps.tenants import clock
from apps.tenants.context import as_system
from tests.forms import body, step

from .test_filling import opened

TYPED = {"item": "Cross-site scripting", "total": "7", "do": "send"}
MAIL = f"reporter-{uuid4().hex}@elsewhere.example"


def address(company, slug="request"):
    return f"/f/{company.slug}/{slug}/"


def public(api, company, *steps, slug="request"):
    """A published public form whose contact is its field `item`."""
    form = body(*(steps or [step("triage", company.reviewer)]), slug=slug)
    form |= {"filling": "public", "ui": {"contact": "item", "reference": "VR"}}
    made = api.as_(company.owner).post("/api/v1/forms", form)
    assert made.status_code == 201, made.json()
    assert api.as_(company.owner).post(f"/api/v1/forms/{made.json()['id']}/publish").status_code == 201
    return made.json()["id"]


def send(client, company, typed=TYPED, **more):
    return client.post(address(company), {**typed, **more})


def test_a_stranger_sends_and_follows_it_by_a_private_link(api, client_of, acme):
    public(api, acme)
    assert client_of.get(address(acme)).status_code == 200
    file = SimpleUploadedFile("proof.txt", b"curl -i ...")
    answer = send(client_of, acme, item=MAIL, quotes=file)
    assert answer.status_code == 302
    page = client_of.get(answer["Location"])
    assert "VR-2" in page.content.decode()
    assert page["X-Robots-Tag"] == "noindex, nofollow"
    with as_system(acme.id):
        (sent,) = Submission.objects.with_all()
        assert (sent.submitter, sent.state, sent.case.requester) == (None, "in_review", None)
        assert sent.case.contact == MAIL
        assert Attachment.objects.get().name == "proof.txt"
        assert bytes(Receipt.objects.get().token_sha256) != b""
        mail = OutboxMessage.objects.get(to=MAIL)
        assert answer["Location"].split("?")[0] in mail.body
        comms.deliver(mail.pk)
        assert OutboxMessage.objects.get(pk=mail.pk).body == comms.ERASED
        acts = {entry.action: entry.actor_type for entry in Entry.objects.all()}
    told = ["submission.sent", "case.opened", "attachment.added", "receipt.given", "step.opened"]
    assert {acts[name] for name in told} == {"anonymous"}


def test_a_stranger_holds_a_signed_receipt_of_what_they_sent(api, client_of, acme):
    public(api, acme)
    link = send(client_of, acme)["Location"].partition("?")[0]
    page = client_of.get(link).content.decode()
    assert f'href="{link}signed/"' in page
    kept = client_of.get(f"{link}signed/")
    assert kept["Content-Disposition"].startswith("attachment")
    assert (kept["X-Robots-Tag"], kept["Referrer-Policy"]) == ("noindex, nofollow", "no-referrer")
    text = kept.content.decode()
    with as_system(acme.id):
        entry = Entry.objects.get(action="submission.sent")
        said = Statement.read(note.split(text)[0])
        note.open_note(text, keys.verifiers(said.origin))
    assert (said.entry, said.leaf) == (entry.pk, tree.leaf_hash(bytes(entry.body)))
    other = send(client_of, acme)["Location"].partition("?")[0]
    assert client_of.get(f"{other}signed/").content.decode() != text
    assert client_of.get(f"{link[:-2]}x/signed/").status_code == 404
    assert client_of.post(f"{link}signed/").status_code in {404, 405}


def test_the_stranger_is_told_each_step_without_names_or_words_of_their_own(api, client_of, acme):
    public(api, acme, step("triage", acme.reviewer), step("verify", acme.editor))
    link = send(client_of, acme, item=MAIL)["Location"]
    for person, reason in ((acme.reviewer, "Thank you, we look into it."), (acme.editor, "")):
        (task,) = api.as_(person).get("/api/v1/tasks").json()["results"]
        verdict = {"verdict": "approve", "revision": task["revision"], "reason": reason}
        assert api.as_(person).post(f"/api/v1/tasks/{task['id']}/decide", verdict).status_code == 201
    text = client_of.get(link).content.decode()
    assert "Thank you, we look into it." in text
    assert "completed" in text
    for name in (acme.reviewer.name, acme.editor.name, acme.reviewer.email, MAIL):
        assert name not in client_of.get(link.split("?")[0]).content.decode()
    with as_system(acme.id):
        mails = list(OutboxMessage.objects.filter(to=MAIL).order_by("queued_at"))
    assert [mail.template.rpartition("/")[2] for mail in mails] == ["receipt", "outside_step", "outside_decided"]
    assert "Triage" in mails[1].subject
    assert all(MAIL not in mail.subject + mail.body for mail in mails)


def test_a_contact_that_is_no_address_gets_no_mail(api, client_of, acme):
    public(api, acme)
    assert send(client_of, acme, item="Signal: +49 30 1234").status_code == 302
    with as_system(acme.id):
        assert [mail.to for mail in OutboxMessage.objects.all()] == [acme.reviewer.email]


def test_nobody_is_mailed_without_end(api, client_of, acme, monkeypatch):
    monkeypatch.setattr(rules, "MAILED_REPORTS", Limit("public.contact", 2, 60))
    public(api, acme)
    for _ in range(4):
        assert send(client_of, acme, item=MAIL).status_code == 302
    with as_system(acme.id):
        assert OutboxMessage.objects.filter(to=MAIL).count() == 2


def test_faults_are_told_at_their_place_and_what_was_typed_stays(api, client_of, acme):
    public(api, acme)
    answer = send(client_of, acme, total="many", quotes=SimpleUploadedFile("a.exe", b"MZ"))
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "Cross-site scripting" in text
    assert 'value="many"' in text
    assert "a.exe: only these kinds" in text
    assert "choose your files again" in text
    with as_system(acme.id):
        assert not Submission.objects.exists()
        assert not Attachment.objects.exists()


def test_rows_come_and_go_without_a_script(api, client_of, acme):
    schema = {
        "type": "object",
        "properties": {
            "steps": {
                "type": "array",
                "title": "Steps",
                "items": {"type": "object", "properties": {"what": {"type": "string", "title": "What"}}},
            }
        },
    }
    form = body(step("triage", acme.reviewer)) | {"schema": schema, "filling": "public"}
    made = api.as_(acme.owner).post("/api/v1/forms", form).json()
    api.as_(acme.owner).post(f"/api/v1/forms/{made['id']}/publish")
    page = client_of.post(address(acme), {"steps-0-what": "Open it", "do": "add-row:steps"}).content.decode()
    assert "Open it" in page
    assert 'name="steps-1-what"' in page
    page = client_of.post(address(acme), {"steps-0-what": "Open it", "do": "remove-row:steps:0"}).content.decode()
    assert "Open it" not in page
    with as_system(acme.id):
        assert not Submission.objects.exists()


@pytest.mark.parametrize("filling", ["members", "named"])
def test_a_form_that_is_not_public_has_no_public_address(api, client_of, acme, filling):
    opened(api, acme, filling)
    assert client_of.get(address(acme)).status_code == 404
    assert send(client_of, acme).status_code == 404
    assert client_of.post(address(acme) + "preview/", TYPED).status_code == 404


def test_a_public_form_opens_when_it_is_published_and_closes_at_once(api, client_of, acme):
    form = body(step("triage", acme.reviewer)) | {"filling": "public"}
    made = api.as_(acme.owner).post("/api/v1/forms", form).json()["id"]
    assert client_of.get(address(acme)).status_code == 404
    api.as_(acme.owner).post(f"/api/v1/forms/{made}/publish")
    assert client_of.get(address(acme)).status_code == 200
    link = send(client_of, acme)["Location"]
    api.as_(acme.owner).patch(f"/api/v1/forms/{made}", {"filling": "members"})
    assert send(client_of, acme).status_code == 404
    assert client_of.get(link).status_code == 200  # what was sent can still be followed


def test_the_address_decides_the_tenant_and_nothing_else_does(api, client_of, acme, globex):
    public(api, acme)
    assert client_of.get(address(globex)).status_code == 404
    answer = client_of.post(
        address(acme), {**TYPED, "tenant": str(globex.id)}, headers={"X-Tenant": globex.slug, "Host": "localhost"}
    )
    assert answer.status_code == 302
    with as_system(globex.id):
        assert not Submission.objects.exists()


def test_a_signed_in_person_is_nobody_there(api, browse, acme):
    public(api, acme)
    assert send(browse(acme.viewer), acme).status_code == 302
    with as_system(acme.id):
        assert Submission.objects.get().submitter is None
        assert Entry.objects.get(action="submission.sent").actor_type == "anonymous"


@pytest.mark.parametrize("change", ["one letter", "short", "another kind"])
def test_a_forged_link_opens_nothing(api, client_of, acme, change):
    public(api, acme)
    link = send(client_of, acme)["Location"].split("?")[0]
    word = re.search(r"/receipt/(\S+)/", link)[1]
    forged = {"one letter": word[:-1] + ("A" if word[-1] != "A" else "B"), "short": word[:19], "another kind": "x" * 43}
    assert client_of.get(f"/receipt/{forged[change]}/").status_code == 404
    assert client_of.post(link).status_code == 405


def test_the_token_of_the_page_is_demanded(api, acme):
    public(api, acme)
    strict = Client(enforce_csrf_checks=True)
    assert send(strict, acme).status_code == 403
    page = strict.get(address(acme)).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    assert send(strict, acme, csrfmiddlewaretoken=token).status_code == 302
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert strict.post(address(acme), {**TYPED, "csrfmiddlewaretoken": token}, headers=cross).status_code == 403


def test_after_a_trial_the_page_says_that_nothing_is_taken(api, client_of, acme):
    public(api, acme)
    with as_system(acme.id):
        billing.change_plan("business", trial_ends_at=clock.now())
    shown, sent = client_of.get(address(acme)), send(client_of, acme)
    assert (shown.status_code, sent.status_code) == (402, 402)
    assert "takes nothing at the moment" in shown.content.decode()
    assert "Cross-site scripting" in sent.content.decode()
    with as_system(acme.id):
        assert not Submission.objects.exists()


def test_over_quota_the_page_says_that_nothing_is_taken(api, client_of, acme, monkeypatch):
    public(api, acme)
    with as_system(acme.id):
        billing.override(Resource.SUBMISSIONS, 1)
    assert send(client_of, acme).status_code == 302
    assert send(client_of, acme).status_code == 402
    assert client_of.get(address(acme)).status_code == 402
    # Where two get past the look at once, the database itself stops the second at commit.
    monkeypatch.setattr("apps.forms.views.public.check_room", lambda: None)
    monkeypatch.setattr(rules, "check_room", lambda size=0: None)
    late = send(client_of, acme)
    assert late.status_code == 402
    assert "Cross-site scripting" in late.content.decode()
    with as_system(acme.id):
        assert Submission.objects.count() == 1


def test_too_many_from_one_address_are_told_to_wait(api, client_of, acme, monkeypatch):
    monkeypatch.setattr("apps.forms.views.public.SENDS", Limit("public.send", 2, 60))
    public(api, acme)
    assert [send(client_of, acme).status_code for _ in range(3)] == [302, 302, 429]
    late = send(client_of, acme)
    assert int(late["Retry-After"]) > 0
    assert "Cross-site scripting" in late.content.decode()
    assert client_of.post(address(acme), TYPED, REMOTE_ADDR="203.0.113.9").status_code == 302


def test_too_much_at_once_is_not_read(api, client_of, acme):
    public(api, acme)
    big = SimpleUploadedFile("a.txt", b"a" * (26 * 1024 * 1024))
    assert send(client_of, acme, quotes=big).status_code == 413
    many = [SimpleUploadedFile(f"{n}.txt", b"a") for n in range(6)]
    answer = client_of.post(address(acme), {**TYPED, "quotes": many})
    assert answer.status_code == 422
    assert "At most 5 files" in answer.content.decode()


def test_a_case_from_outside_is_not_sent_back(api, client_of, browse, acme):
    public(api, acme)
    send(client_of, acme)
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    verdict = {"verdict": "send_back", "revision": task["revision"], "reason": "Which browser?"}
    assert api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", verdict).status_code == 400
    page = browse(acme.reviewer).get(acme.url(f"tasks/{task['id']}/")).content.decode()
    assert "from the public form" in page
    assert "Send back" not in page
    assert browse(acme.owner).get(acme.url("submissions/")).status_code == 200
    listed = api.as_(acme.owner).get("/api/v1/submissions").json()["results"]
    assert [row["submitter"] for row in listed] == [None]
