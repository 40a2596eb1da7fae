"""Beside the database: every key of the cache, every memory of a process, every place of a file, and what is named by them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.urls import get_resolver
from django_redis import get_redis_connection

from apps.accounts import revocation
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.forms import store
from apps.forms.actions import exports
from apps.forms.models import Attachment, Export, FormVersion
from apps.tenants import clock
from apps.tenants.cache import walled_key
from apps.tenants.context import as_system
from tests.cast import Company, acting_as
from tests.forms import published, step
from tests.routes import walk

ROOMS = Path(__file__).resolve().parents[2] / "apps"
# Who speaks to the cache. All but one do it through Django's cache, whose key function puts the tenant in front.
CACHE_USERS = {
    "accounts/lasting.py": "the cache itself",
    "accounts/revocation.py": "the raw connection, for the one key COPY: times at which tokens of an id were taken back",
    "accounts/sso/provider.py": "what an identity provider publishes, by its connection, before a tenant is known",
    "audit/verify.py": "the newest verification of the tenant in force",
    "operations/health.py": "asks for a key that nobody sets",
}
# What a process remembers between requests, and why no tenant meets another's there.
MEMORIES = {
    "accounts/inputs.py:timezones": "the names of time zones that this machine knows",
    "tenants/derived.py:_derive": "keys of the installation",
    "accounts/membership.py:_columns": "the columns of three tables",
    "accounts/membership.py:_statement": "one statement's text",
    "accounts/rules.py:permissions_of": "the matrix, by the name of a role",
    "accounts/signing_keys.py:_cache": "keys of the installation",
    "accounts/signing_keys.py:_loaded": "keys of the installation",
    "accounts/signing_keys.py:_private": "keys of the installation",
    "ai/breaker.py:_breakers": "whether the installation's model answers, by host",
    "ai/provider.py:_read": "the installation's model, by what the environment says",
    "approvals/conditions.py:_program": "a condition compiled, by its whole text; a program holds no data",
    "audit/catalogue.py:_acts": "the acts that code registers",
    "audit/keys.py:read_keys": "keys of the installation",
    "audit/keys.py:read_retired": "public keys of the installation",
    "audit/sealer.py:_alarms": "by tenant",
    "audit/sealer.py:_heads": "by tenant; the database decides whether it still holds",
    "audit/words.py:words_of": "the words of a text, by the whole text",
    "flags/evaluation.py:_known": "by tenant",
    "flags/rules.py:_prefix": "a computation, by its whole input",
    "forms/models.py:_read": "a published form, by tenant, id and hash",
    "operations/anchors.py:_known": "heads of the log of all checkpoints, by the place that holds them",
    "operations/health.py:_asked": "whether servers answer",
    "operations/health.py:_leaves": "the newest migrations",
    "operations/places.py:_hanging": "how many questions to a place hang, by its address",
    "tenants/bound.py:_key": "keys of the installation",
    "tenants/bound.py:_signed": "a signed context, by tenant and person",
    "tenants/egress.py:public_trust": "the public certificate authorities",
    "tenants/encryption.py:_derive": "keys of the installation",
    "tenants/inserting.py:_text": "text of inserts, by models",
    "tenants/job_signing.py:_key": "keys of the installation",
    "tenants/security_events.py:_raised": "when an event was told last, by what it is about",
    "trust/controls.py:_strangers": "the controls of the demo, for strangers",
    "trust/policy/address.py:_address": "a signed address, by its whole input",
    "trust/policy/limits.py:buckets": "how many reports came, by route and address",
    "trust/views.py:_recent": "the public page, computed for no tenant",
    "ui/templatetags/ui.py:drawings": "the archive of icons",
    "ui/templatetags/ui.py:icon": "an icon, by its name",
}
# Who makes a place below a folder of files. Both put the tenant's id first.
PLACES = {
    "forms/store.py": "attachments: the tenant's folder, then the hash",
    "forms/actions/exports.py": "exports: the tenant's folder, then the row's id",
    "audit/log_exports.py": "exports of the log: the tenant's folder, then the row's id",
    "forms/panels.py": "how much room the disk has",
    "operations/health.py": "whether the folder can be written",
    "operations/probes.py": "backups",
    "operations/management/commands/backup.py": "backups",
    "operations/management/commands/restore.py": "backups",
    "operations/management/commands/verify_backup.py": "backups",
}
SPEAKS_TO_CACHE = re.compile(r"django\.core\.cache import|get_redis_connection|RedisCache\)|caches\[|\bRedis\.from_url")
MEMORY = re.compile(
    r"^@lru_cache.*\n(?:@.*\n)*def (\w+)|^@cache\n(?:@.*\n)*def (\w+)"
    r"|^(\w+)(?:: [^=\n]+)? = (?:\{\}|OrderedDict\(\)|defaultdict\(\w+\)|Recent\(\w+\)|_Cache\(\)|Buckets\(\))$",
    re.MULTILINE,
)


def sources() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOMS.rglob("*.py")):
        if "migrations" not in path.parts:
            yield str(path.relative_to(ROOMS)), path.read_text()


def test_whoever_speaks_to_the_cache_is_known():
    assert {name for name, text in sources() if SPEAKS_TO_CACHE.search(text)} == set(CACHE_USERS)


def test_what_a_process_remembers_is_known():
    found = {f"{name}:{''.join(hit)}" for name, text in sources() for hit in MEMORY.findall(text)}
    assert found == set(MEMORIES)


def test_whoever_makes_a_place_of_a_file_is_known():
    roots = re.compile(r"settings\.(ATTACHMENTS|EXPORTS|BACKUPS)_ROOT|FileSystemStorage|default_storage|MEDIA_ROOT")
    assert {name for name, text in sources() if roots.search(text)} == set(PLACES)


def pages(company: Company) -> list[str]:
    """The address of every page of a tenant that needs no id."""
    routes = {route for route in walk(get_resolver()) if route.startswith("t/<slug:tenant>/")}
    return sorted(f"/{route.replace('<slug:tenant>', company.slug)}" for route in routes if route.count("<") == 1)


def test_no_key_in_redis_is_shared_by_two_tenants(acme, globex, browse):
    """One opens every page, the other those that are known to remember; what was made stands for the one who asked."""
    made: list[set[str]] = []
    for company, paths in ((acme, pages(acme)), (globex, [globex.url(), globex.url("settings/security/")])):
        cache.clear()
        client = browse(company.owner)
        assert sum(client.get(path).status_code == 200 for path in paths) >= min(20, len(paths))
        made.append({key.decode() for key in get_redis_connection().keys("*")} - {revocation.COPY})
    assert made[0]
    assert made[1]
    assert all(str(acme.id) in key for key in made[0]), made[0]
    assert all(str(globex.id) in key for key in made[1]), made[1]


@pytest.mark.parametrize("key", ["audit.verification", "sso:x:keys", "", ":", "none:x", "ork:1:none:x"])
def test_one_name_is_another_key_for_each_tenant(acme, globex, key):
    with as_system(acme.id):
        first = walled_key(key, "", 1)
        cache.set(key or "empty", "of acme", 60)
    with as_system(globex.id):
        second = walled_key(key, "", 1)
        assert cache.get(key or "empty") is None
    assert len({first, second, walled_key(key, "", 1)}) == 3
    assert cache.get(key or "empty") is None


def test_no_name_reaches_the_key_of_another_tenant(acme, globex):
    """A name that imitates a whole key is still below the tenant in force: ids have one length and no colon."""
    with as_system(acme.id):
        cache.set("word", "of acme", 60)
        whole = walled_key("word", "", 1)
    for name in (whole, f":{whole}", whole.removeprefix("ork:1:"), f"../{acme.id}:word", f"{acme.id}:word"):
        with as_system(globex.id):
            assert cache.get(name) is None
        assert cache.get(name) is None
    with as_system(acme.id):
        assert cache.get("word") == "of acme"


def test_a_version_with_the_hash_of_anothers_is_not_read_as_theirs(api, acme, globex):
    """Injected SQL may add a version with any hash: what a process remembers of it must stay with that tenant."""
    forms = {company.slug: published(api, company.owner, step("a", company.reviewer)) for company in (acme, globex)}
    with as_system(acme.id):
        version = FormVersion.objects.get(form_id=forms[acme.slug])
        version.schema = {"type": "object", "properties": {"planted": {"type": "string", "title": "Planted"}}}
        assert "planted" in str(version.spec)
    with as_system(globex.id):
        own = FormVersion.objects.get(form_id=forms[globex.slug])
        assert own.sha256 == version.sha256
        assert "item" in str(own.spec)
        assert "planted" not in str(own.spec)


def attached(api: Any, company: Company, content: bytes) -> dict[str, Any]:
    form = published(api, company.owner, step("manager", company.reviewer))
    asked = {"data": {"item": "Lathe", "total": 5}, "draft": True}
    draft = api.as_(company.editor).post(f"/api/v1/forms/{form}/submissions", asked).json()
    body = {"field": "quotes", "file": SimpleUploadedFile("quote.pdf", content)}
    made = api.as_(company.editor).post(f"/api/v1/submissions/{draft['id']}/attachments", body, format="multipart")
    assert made.status_code == 201, made.json()
    return dict(made.json())


def test_the_same_bytes_lie_apart_and_a_digest_opens_nobody_elses(api, acme, globex):
    same, secret = b"%PDF-1.4 the same", b"%PDF-1.4 of acme alone"
    one, other = attached(api, acme, same), attached(api, globex, same)
    assert one["sha256"] == other["sha256"]
    places = [store.path_of(company.id, one["sha256"]) for company in (acme, globex)]
    assert len(set(places)) == 2
    assert all(place.is_file() for place in places)
    places[0].unlink()
    assert store.read(globex.id, one["sha256"]).read_bytes() == same
    # Whoever writes another's digest into a row of their own has a row, and no bytes.
    store.write(acme.id, "secret.pdf", [secret])
    digest = next(
        path.name for path in store.root(acme.id).rglob("*") if path.is_file() and path.read_bytes() == secret
    )
    with as_system(globex.id), transaction.atomic():
        Attachment.objects.filter(pk=other["id"]).update(sha256=digest)
    answer = api.as_(globex.editor).get(f"/api/v1/attachments/{other['id']}/download")
    assert answer.status_code == 400
    assert secret not in answer.content
    for person in (globex.owner, globex.editor):
        assert api.as_(person).get(f"/api/v1/attachments/{one['id']}/download").status_code == 404
        assert api.as_(person).get(f"/api/v1/attachments/{digest}/download").status_code == 404


@pytest.mark.parametrize(
    "word", ["../" * 8 + "etc/passwd", "..", "", "a" * 63, "A" * 64, "a" * 63 + "/", "a" * 64 + "\0"]
)
def test_only_an_id_and_a_hash_become_a_path(word):
    with pytest.raises(ValueError, match=r"."):
        store.path_of(UUID(int=1), word)
    with pytest.raises(ValueError, match=r"."):
        store.root(word)  # type: ignore[arg-type]


def test_an_exports_place_is_its_own_tenants(acme, globex, browse, settings, tmp_path):
    settings.EXPORTS_ROOT = tmp_path
    with as_system(acme.id):
        made = Export.objects.create(requested_by=acme.owner, expires_at=clock.now())
        exports.make_export(made.pk)
    assert exports.path_of(made).parent == tmp_path / str(acme.id)
    assert [path.parent.name for path in tmp_path.rglob("*.zip")] == [str(acme.id)]
    with as_system(globex.id):
        exports.make_export(made.pk)
        exports.drop_export(made.pk)
    assert exports.path_of(made).is_file()
    assert browse(globex.owner).get(globex.url(f"settings/data/exports/{made.pk}/")).status_code == 404


def test_mails_of_two_tenants_name_each_its_own(acme, globex, api):
    """Everything that both have in the outbox after the same work: no word, address or link of the other."""
    for company in (acme, globex):
        form = published(api, company.owner, step("manager", company.reviewer))
        sent = api.as_(company.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A", "total": 1}})
        assert sent.status_code == 201
    for company, rival in ((acme, globex), (globex, acme)):
        with as_system(company.id):
            mails = list(OutboxMessage.objects.all())
        assert mails
        for mail in mails:
            whole = f"{mail.to} {mail.subject} {mail.body}"
            assert company.slug in whole
            assert rival.slug not in whole
            assert str(rival.id) not in whole


def test_an_etag_of_one_tenant_says_nothing_at_another(api, acme, globex):
    """The same flags, the same answers, and yet another tag: a tag tells nobody what another tenant has."""
    address = "/ofrep/v1/evaluate/flags"
    first, second = (api.as_(company.owner).post(address, {}) for company in (acme, globex))
    assert first["ETag"] != second["ETag"]
    again = api.as_(globex.owner).post(address, {}, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200


def test_names_of_files_that_are_given_out_name_their_own_tenant_alone(api, acme, globex):
    with acting_as(acme.owner):
        entry = Entry.objects.earliest("id")
    for company in (acme, globex):
        answer = api.as_(company.owner).get("/api/v1/audit/export")
        assert answer.status_code == 200
        rival = globex if company is acme else acme
        assert company.slug in answer["Content-Disposition"] or str(company.id) in answer["Content-Disposition"]
        assert rival.slug not in answer["Content-Disposition"]
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert (str(entry.pk).encode() in content) is False or company is acme
