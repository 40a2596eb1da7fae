"""Making, changing and publishing forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from apps.accounts.models import Member
from apps.approvals.actions import publish_path
from apps.approvals.actions.paths import check_path
from apps.audit.actions import record
from apps.tenants import clock
from apps.tenants.context import require
from apps.tenants.refusals import Invalid, Refused

from ..access import demand
from ..models import Form, FormVersion, GrantRole, PrincipalType
from ..rules.filling import Filling
from ..rules.spec import digest, read_spec
from .access import check_public, make_grant, set_filling

CHANGEABLE = frozenset({"title", "description", "schema", "ui", "path"})
RESERVED_SLUGS = frozenset({"new"})


@transaction.atomic
def create_form(
    *,
    title: str,
    slug: str,
    schema: dict[str, Any],
    by: Member,
    ui: dict[str, Any] | None = None,
    path: dict[str, Any] | None = None,
    description: str = "",
    filling: str = Filling.MEMBERS,
) -> Form:
    """A form with its draft, owned by whoever creates it. Raises Invalid naming each place, Refused for a taken slug."""
    require("forms.create")
    check_draft(schema, ui or {}, path)
    if slug in RESERVED_SLUGS or slug != slugify(slug) or not slug:
        raise Invalid({"slug": [_("An address is lower-case letters, digits and hyphens.")]})
    if Form.objects.filter(slug=slug).exists():
        raise Invalid({"slug": [_("Another form has this address.")]})
    form = Form.objects.create(
        title=title,
        slug=slug,
        description=description,
        schema=schema,
        ui=ui or {},
        path=path,
        filling=Filling(filling),
        created_by=by,
    )
    record("form.created", form, facts={"slug": slug, "filling": str(form.filling)})
    make_grant(form, role=GrantRole.OWNER, principal_type=PrincipalType.USER, principal_member=by)
    return form


@transaction.atomic
def update_form(form: Form, *, by: Member, **changes: Any) -> Form:
    """Change the draft; published versions stay as they are. `filling` counts at once. Raises Invalid, Forbidden."""
    if (filling := changes.pop("filling", None)) is not None:
        form = set_filling(form, filling=filling, by=by)
    if not changes:
        return form
    demand(form, by, "edit")
    form = Form.objects.select_for_update().get(pk=form.pk)
    before = digest(form.schema, form.ui)
    for name in CHANGEABLE & set(changes):
        setattr(form, name, changes[name])
    check_draft(form.schema, form.ui, form.path)
    form.changed_at = clock.now()
    form.save()
    facts = {"fields": sorted(changes), "sha256_before": before, "sha256": digest(form.schema, form.ui)}
    record("form.changed", form, facts=facts)
    return form


@transaction.atomic
def publish(form: Form, *, by: Member) -> FormVersion:
    """Freeze the draft and its path as the next version. Raises Refused without a path, Invalid for what does not hold."""
    demand(form, by, "edit")
    form = Form.objects.select_for_update().get(pk=form.pk)
    if form.path is None:
        raise Refused(_("Give the form an approval path before you publish it."), code="no_path", field="path")
    check_draft(form.schema, form.ui, form.path)
    if form.filling == Filling.PUBLIC:
        check_public(read_spec(form.schema, form.ui))
    path_version = publish_path(form.approval_path, title=form.title, definition=form.path, by=by)
    sha256 = digest(form.schema, form.ui)
    last = form.versions.order_by("-number").first()
    version = FormVersion.objects.create(
        form=form,
        number=last.number + 1 if last else 1,
        title=form.title,
        schema=form.schema,
        ui=form.ui,
        sha256=sha256,
        path_version=path_version,
        published_by=by,
        published_at=clock.now(),
    )
    form.live_version, form.approval_path = version, path_version.path
    form.save()
    facts = {"version": version.number, "sha256": sha256, "path_sha256": path_version.sha256}
    record("form.published", form, version, facts=facts)
    return version


def publish_path_of(form: Form, changed: Callable[[dict[str, Any]], dict[str, Any]], *, by: Member) -> FormVersion:
    """Publish the version in force again with another path, whatever stands in the draft, whose path follows.

    It is part of an act that its caller has allowed, and asks for no grant on the form.
    """
    assert form.live_version_id is not None
    last = form.versions.select_related("path_version").get(pk=form.live_version_id)
    assert last.path_version is not None
    made = publish_path(form.approval_path, title=form.title, definition=changed(last.path_version.definition), by=by)
    newest = form.versions.order_by("-number").values_list("number", flat=True)[0]
    version = FormVersion.objects.create(
        form=form,
        number=newest + 1,
        title=last.title,
        schema=last.schema,
        ui=last.ui,
        sha256=last.sha256,
        path_version=made,
        published_by=by,
        published_at=clock.now(),
    )
    form.live_version = version
    if form.path is not None:
        form.path = changed(form.path)
    form.save(update_fields=["live_version", "path"])
    facts = {"version": version.number, "sha256": version.sha256, "path_sha256": made.sha256}
    record("form.published", form, version, facts=facts)
    return version


def check_draft(schema: Any, ui: Any, path: Any) -> None:
    """All that is wrong with a draft, in one Invalid."""
    errors: dict[str, list[Any]] = {}
    checks = [lambda: read_spec(schema, ui)] + ([lambda: check_path(path)] if path is not None else [])
    for check in checks:
        try:
            check()  # type: ignore[operator]
        except Invalid as fault:
            errors |= fault.errors
    if errors:
        raise Invalid(errors)
