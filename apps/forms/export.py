"""What an export of a tenant holds: one file of JSON lines for each kind of thing, and how each line reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.accounts.models import Member, Team, TeamMember
from apps.approvals.models import CaseStep, Decision, Delegation

from .models import Attachment, Form, FormVersion, Grant, Revision, Submission


@dataclass(frozen=True)
class Table:
    """One file of the export: its rows in the tenant in force, and a row as JSON."""

    name: str
    rows: Callable[[], Any]
    as_json: Callable[[Any], dict[str, Any]]


def _columns(*names: str) -> Callable[[Any], dict[str, Any]]:
    """A row as these of its columns, by name."""
    return lambda row: {name: getattr(row, name) for name in names}


def _member(row: Member) -> dict[str, Any]:
    return {"id": row.pk, "name": row.name, "email": row.email, "role": row.role, "is_active": row.is_active,
            "joined_at": row.joined_at}  # fmt: skip


def _submission(row: Submission) -> dict[str, Any]:
    return {"id": row.pk, "form_id": row.form_id, "form_version_id": row.form_version_id,
            "submitter_id": row.submitter_id, "reference": row.reference, "title": row.title, "state": row.state,
            "draft_data": row.draft_data, "current_revision_id": row.current_revision_id,
            "contact": row.case.contact if row.case else "", "created_at": row.created_at,
            "submitted_at": row.submitted_at}  # fmt: skip


def _step(row: CaseStep) -> dict[str, Any]:
    return {"id": row.pk, "submission_id": row.case.subject_id, "key": row.key, "name": row.name, "round": row.round,
            "state": row.state, "quorum": row.quorum, "reason": row.reason, "opened_at": row.opened_at,
            "due_at": row.due_at, "closed_at": row.closed_at}  # fmt: skip


def _version(row: FormVersion) -> dict[str, Any]:
    return {"id": row.pk, "form_id": row.form_id, "number": row.number, "title": row.title, "schema": row.schema,
            "ui": row.ui, "path": row.path_version.definition if row.path_version else None, "sha256": row.sha256,
            "published_by_id": row.published_by_id, "published_at": row.published_at}  # fmt: skip


TABLES: tuple[Table, ...] = (
    Table("members", lambda: Member.objects.select_related("user"), _member),
    Table("teams", lambda: Team.objects.all(), _columns("id", "name", "slug", "created_at")),
    Table("team_members", lambda: TeamMember.objects.all(), _columns("id", "team_id", "member_id")),
    Table(
        "forms",
        lambda: Form.objects.all(),
        _columns(
            "id",
            "title",
            "slug",
            "description",
            "filling",
            "schema",
            "ui",
            "path",
            "live_version_id",
            "created_by_id",
            "created_at",
            "changed_at",
        ),
    ),
    Table("form_versions", lambda: FormVersion.objects.select_related("path_version"), _version),
    Table(
        "grants",
        lambda: Grant.objects.all(),
        _columns("id", "form_id", "principal_type", "principal_id", "role", "created_at"),
    ),
    Table("submissions", lambda: Submission.objects.select_related("case"), _submission),
    Table(
        "revisions",
        lambda: Revision.objects.all(),
        _columns("id", "submission_id", "number", "data", "sha256", "created_at"),
    ),
    Table("steps", lambda: CaseStep.objects.select_related("case"), _step),
    Table(
        "decisions",
        lambda: Decision.objects.all(),
        _columns(
            "id",
            "step_id",
            "person_id",
            "on_behalf_of_id",
            "verdict",
            "reason",
            "revision",
            "subject_sha256",
            "decided_at",
        ),
    ),
    Table(
        "delegations",
        lambda: Delegation.objects.all(),
        _columns(
            "id", "person_id", "stand_in_id", "starts_at", "ends_at", "note", "created_by_id", "created_at", "ended_at"
        ),
    ),
    Table(
        "attachments",
        lambda: Attachment.objects.all(),
        _columns("id", "submission_id", "field", "name", "size", "sha256", "content_type", "uploaded_at"),
    ),
)
