"""What is claimed of the wall between tenants."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .claim import Claim

WALL: tuple[Claim, ...] = (
    Claim(
        "tenant_isolation",
        _("Tenant filter and row-level security"),
        _("Every table of a tenant has row-level security, enabled and forced; the app refuses to start otherwise."),
        True,
        "trust.wall",
        ("apps/tenants/policies.py", "apps/tenants/catalogue.py", "apps/tenants/backend/base.py"),
        ("tests/attack/test_the_wall.py",),
    ),
    Claim(
        "role_separation",
        _("Separate database roles"),
        _("Web and worker run as a database role that is no superuser, owns no table and cannot bypass policies."),
        True,
        "trust.role",
        ("apps/tenants/roles.py",),
        ("tests/attack/test_the_wall.py",),
    ),
    Claim(
        "signed_context",
        _("Signed tenant context"),
        _(
            "The tenant and the person bound to a statement are signed with a key that no working role can read; the "
            "database refuses any other value, and a statement that ends so is an event and an audit entry."
        ),
        True,
        "trust.signed_context",
        ("apps/tenants/signing.py", "apps/tenants/bound.py", "apps/tenants/migrations/0002_signed_context.py"),
        ("tests/attack/test_the_signed_context.py",),
    ),
    Claim(
        "signed_jobs",
        _("Signed jobs"),
        _(
            "Every job is signed over its task, tenant and arguments with a key that the database never holds; a worker "
            "runs no other, and one of a task of ours that somebody put into the queue is an event and an audit entry."
        ),
        True,
        "trust.signed_jobs",
        ("apps/tenants/job_signing.py", "apps/tenants/jobs.py", "apps/audit/forgeries.py"),
        ("tests/attack/test_signed_jobs.py",),
    ),
)
