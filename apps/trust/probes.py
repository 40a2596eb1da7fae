"""Functions that check a claim on the running system; each looks at the thing itself, not at a setting that names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import psycopg
import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.db.models import F, Q
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from procrastinate.contrib.django import app

from apps.accounts import tokens
from apps.accounts.doors import RULES, Door, rule_of
from apps.accounts.headers import HEADERS
from apps.accounts.models import Member
from apps.approvals.models import Decision
from apps.forms.store import root as files_of
from apps.tenants import catalogue, clock, probing
from apps.tenants.backend.base import FORGED
from apps.tenants.cache import walled_key
from apps.tenants.context import current
from apps.tenants.ids import new_id
from apps.tenants.job_signing import MAC, JobForged, opened, signed
from apps.tenants.models import Tenant
from apps.tenants.roles import APP
from apps.tenants.slots import Finding, Probe, slots

from . import disclosure
from .claims import Claim
from .models import PolicyReport
from .policy.address import is_signed
from .policy.candidate import candidate

log = structlog.get_logger(__name__)
FORGED_CONTEXT = f"SET LOCAL orkestra.bound = 'probe.{UUID(int=1)}..9999999999.{'0' * 64}'; SELECT orkestra_tenant()"


@dataclass(frozen=True)
class Checked:
    """A claim with what its probe saw, and when."""

    claim: Claim
    finding: Finding
    at: datetime

    @property
    def key(self) -> str:
        return {True: "holds", False: "broken", None: "unknown"}[self.finding.holds]

    @property
    def word(self) -> str:
        return {True: _("holds"), False: _("broken"), None: _("unknown")}[self.finding.holds]


def check(claim: Claim, *, absent: Finding | None = None, run: Callable[[Probe], Finding] = probing.look) -> Checked:
    """Run the claim's probe now. A probe that fails is unknown, never green; `absent` is said where none is there."""
    probe = slots.probes.get(claim.probe)
    if probe is None:
        return Checked(claim, absent or Finding(None, _("No probe is there.")), clock.now())
    try:
        finding = run(probe)
    except Exception as error:
        # Whatever goes wrong inside a probe means that nobody knows; the page must say just that.
        log.exception("probe_failed", probe=claim.probe)
        finding = Finding(None, _("The check itself failed (%(kind)s).") % {"kind": type(error).__name__})
    return Checked(claim, finding, clock.now())


def wall() -> Finding:
    found = catalogue.coverage()
    if found["faults"]:
        return Finding(False, _("%(n)s differences from the declared wall.") % {"n": found["faults"]})
    text = _("%(walled)s tables of tenants walled, %(global)s without a tenant, each declared with its reason.")
    return Finding(True, text % found)


def tenant() -> Finding:
    """Ask the database which tenant it verified for this very statement, and whether the person belongs to it."""
    acting = current()
    if acting.tenant is None:
        return Finding(None, _("Nobody is signed in here, so there is no tenant to verify."))
    with connection.cursor() as cursor:
        cursor.execute("SELECT orkestra_tenant()")
        (bound,) = cursor.fetchone()
    found = Tenant.objects.filter(pk=acting.tenant, is_active=True).first()
    belongs = acting.member is None or _is_active(acting.member, acting.user)
    text = _("The database verified the signed tenant of this request: %(name)s.") % {
        "name": found.name if found else "–"
    }
    return Finding(bound == acting.tenant and found is not None and belongs, text)


def _is_active(member: UUID, user: UUID | None) -> bool:
    found = Member.objects.active().filter(pk=member).first()
    return found is not None and found.user_id == user


STORES = ("forms_form", "forms_submission", "accounts_team")


def stores() -> Finding:
    """Try to read another tenant's rows, and look where cache keys and files of this one would go."""
    found = catalogue.coverage()
    own = current().tenant
    leaks = 0
    with connection.cursor() as cursor:
        for table in STORES:
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE tenant_id IS DISTINCT FROM %s)", [own])
            leaks += int(cursor.fetchone()[0])
    apart = str(own or "none") in walled_key("probe", "", 1) and (own is None or files_of(own).name == str(own))
    text = _("%(walled)s tables walled; %(tried)s were asked for rows of others and %(leaks)s gave any.")
    detail = text % {"walled": found["walled"], "tried": len(STORES), "leaks": leaks}
    if faults := found["faults"]:
        differs = ngettext(
            "The wall differs from the declared one in %(n)s place.",
            "The wall differs from the declared one in %(n)s places.",
            faults,
        )
        detail = f"{differs % {'n': faults}} {detail}"
    detail += " " + (_("Cache and files are apart.") if apart else _("Cache or files are NOT apart."))
    return Finding(not found["faults"] and not leaks and apart, detail)


def role() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        name, powerful = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user")
        (owned,) = cursor.fetchone()
    return Finding(name == APP and not powerful and not owned, _("This page was read as %(role)s.") % {"role": name})


def signed_context() -> Finding:
    """Bind a value of our own making on this very connection, past the code that signs, and try to read a key."""
    connection.ensure_connection()
    raw = connection.connection
    seen = []
    for sql in (FORGED_CONTEXT, "SELECT 1 FROM tenants_contextkey"):
        try:
            with raw.transaction():
                raw.execute(sql)
        except psycopg.Error as error:
            seen.append(error.sqlstate)
        else:
            seen.append("")
    return Finding(
        seen == [FORGED, "42501"],
        _("A context without our signature, and reading a key, were answered by errors %(seen)s.")
        % {"seen": ", ".join(str(state or _("none")) for state in seen)},
    )


def short_tokens() -> Finding:
    """Sign a token as sign-in would, and read back what it says."""
    now = clock.now()
    token = tokens.issue_access(user=UUID(int=1), tenant=None, family=new_id(), auth_time=now, amr="probe")
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    minutes = timedelta(seconds=claims["exp"] - claims["iat"])
    holds = header["alg"] == "EdDSA" and minutes <= timedelta(minutes=5)
    return Finding(
        holds, _("A token signed now is %(alg)s and lives %(n)s s.") % {"alg": header["alg"], "n": minutes.seconds}
    )


def signed_jobs() -> Finding:
    """Present jobs to the verification that every task goes through, one whole and four that somebody changed."""
    about = {"tenant_id": str(UUID(int=1)), "message_id": str(UUID(int=2))}
    whole = signed("probe", about)
    changed = (about, whole | {"tenant_id": str(UUID(int=3))}, whole | {"message_id": ""}, whole | {MAC: "0" * 64})
    refused = sum(not _opens("probe", job) for job in changed) + (not _opens("another", whole))
    unsigned = [name for name, task in app.tasks.items() if not hasattr(task.func, "is_signed")]
    holds = _opens("probe", whole) and refused == len(changed) + 1 and not unsigned
    text = _("%(refused)s of %(all)s forged jobs were refused; %(tasks)s tasks, %(unsigned)s without a signature.")
    numbers = {"refused": refused, "all": len(changed) + 1, "tasks": len(app.tasks), "unsigned": len(unsigned)}
    return Finding(holds, text % numbers)


def _opens(task: str, job: dict[str, Any]) -> bool:
    try:
        opened(task, job)
    except JobForged:
        return False
    return True


def doors() -> Finding:
    opened = [rule for rule in RULES if rule.door is Door.PUBLIC]
    closed = rule_of("/probe/unknown") is None and rule_of("/api/v1/unknown") is not None
    closed = closed and rule_of("/api/v1/unknown").door is Door.TENANT_API  # type: ignore[union-attr]
    return Finding(closed, _("%(n)s open paths in the table; an unknown one is refused.") % {"n": len(opened)})


def four_eyes() -> Finding:
    """No stored decision is by the person who sent the submission, nor in their place."""
    sender = F("step__case__requester_id")
    bad = Decision.objects.filter(Q(person_id=sender) | Q(on_behalf_of_id=sender)).count()
    total = Decision.objects.count()
    return Finding(
        bad == 0,
        _("%(bad)s of %(total)s decisions by the person who sent it, or in their place.")
        % {"bad": bad, "total": total},
    )


def headers() -> Finding:
    """Ask our own page for its headers."""
    answer = _answer_made_now()
    missing = [name for name in HEADERS if answer.get(name) != HEADERS[name]]
    policy = answer.get("Content-Security-Policy", "")
    holds = not missing and "default-src 'none'" in policy and "unsafe" not in policy
    return Finding(holds, _("An answer made now carries the policy and %(n)s headers.") % {"n": len(HEADERS)})


def _answer_made_now() -> HttpResponseBase:
    host = settings.PUBLIC_URL.split("://", 1)[-1]
    return WSGIHandler().get_response(RequestFactory().get("/healthz/live", headers={"host": host}))


def policy_reports() -> Finding:
    """A page asked for now names an address for reports that was signed for its policy; one made up is refused."""
    policy = str(_answer_made_now().get("Content-Security-Policy", ""))
    address = policy.rpartition("report-uri ")[2].split(";")[0].strip()
    parts = address.removeprefix("/csp/").split("/")
    made_up = [*parts[:3], "0" * 32]
    if len(parts) != 4 or not is_signed(*parts) or is_signed(*made_up):
        return Finding(False, _("A page asked for now names no signed address for reports."))
    known = PolicyReport.objects.filter(disposition="enforce").count()
    tried = candidate() is not None
    text = _(
        "Reports go to an address signed for this policy and day; %(n)s ways of breaking it are known. %(candidate)s"
    )
    about = _("A candidate is on trial.") if tried else _("No candidate is on trial.")
    return Finding(True, text % {"n": known, "candidate": about})


PROBES = (
    Probe("trust.wall", wall),
    Probe("trust.signed_context", signed_context),
    Probe("trust.signed_jobs", signed_jobs),
    Probe("trust.role", role),
    Probe("trust.tokens", short_tokens),
    Probe("trust.doors", doors),
    Probe("trust.four_eyes", four_eyes, of_tenants=True),
    Probe("trust.headers", headers),
    Probe("trust.policy_reports", policy_reports),
    Probe("trust.tenant", tenant),
    Probe("trust.stores", stores),
    Probe("trust.disclosure", disclosure.probe),
)
