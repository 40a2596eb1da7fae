"""The tenant, and the base of everything a tenant owns."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.base import ModelBase
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from . import clock
from .context import current, current_tenant
from .ids import new_id
from .policies import TenantPolicy

PLATFORM_TENANT_ID = UUID("00000000-0000-7000-8000-000000000000")
ModelT = TypeVar("ModelT", bound=models.Model)


class Access(Enum):
    """What the app role may do with a table's rows, held by database privileges."""

    EDIT = "SELECT, INSERT, UPDATE, DELETE"
    APPEND = "SELECT, INSERT"
    READ = "SELECT"


class Tenant(models.Model):
    """An organisation; it owns everything of its own and nothing of another's."""

    audit_type: ClassVar[str] = "tenant"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(_("address"), max_length=63, unique=True)
    name = models.CharField(_("name"), max_length=200)
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC")
    is_active = models.BooleanField(_("active"), default=True)
    is_sso_only = models.BooleanField(_("single sign-on only"), default=False)
    factor_required_from = models.DateTimeField(_("second factor required from"), null=True)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")

    def __str__(self) -> str:
        return self.name


class ContextKey(models.Model):
    """A key of the signed context, in the two blocks that HMAC uses; no role but the owner can read it."""

    kid = models.CharField(max_length=32, primary_key=True)
    fingerprint = models.CharField(max_length=8)
    inner_block = models.BinaryField()
    outer_block = models.BinaryField()
    made_at = models.DateTimeField(default=clock.now)
    retires_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()


class TenantKey(models.UUIDField):  # type: ignore[type-arg]
    """The id of a tenant's row: Django's primary key, and the second half of the database's."""

    is_tenant_key = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", new_id)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)


class TenantForeignKey(models.ForeignKey):  # type: ignore[type-arg]
    """A reference inside one tenant: the constraint and every join carry tenant_id."""

    carries_tenant = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("db_index", False)
        super().__init__(*args, **kwargs)

    def get_extra_restriction(self, alias: str | None, related_alias: str | None) -> Any:
        """`ON … AND (target.tenant_id = own.tenant_id)`, which lets a join find one partition."""
        target: Any = self.remote_field.model._meta.get_field("tenant")
        own: Any = self.model._meta.get_field("tenant")
        return Exact(target.get_col(alias), own.get_col(related_alias))


def default_tenant() -> UUID | None:
    """The tenant in force, for a new row; None lets the database refuse it."""
    return current().tenant


class TenantQuerySet(models.QuerySet[ModelT]):
    """Base of the querysets over tenant data."""


class TenantManager(models.Manager[ModelT]):
    """Filters by a constant tenant_id beside the policy: better plans, and a second wall.

    Raises MissingContext where no tenant is known, except to a Super Admin on the platform role, who reads across.
    """

    def get_queryset(self) -> models.QuerySet[ModelT]:
        rows = super().get_queryset()
        if current().platform and current().tenant is None:
            return rows
        return rows.filter(tenant_id=current_tenant())


class TenantModelBase(ModelBase):
    """Gives every tenant model its policy, also one whose own Meta would have hidden an inherited one."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any) -> Any:
        meta = attrs.get("Meta")
        if not getattr(meta, "abstract", False):
            own: Mapping[str, Any] = vars(meta) if meta else {}
            own = {key: value for key, value in own.items() if not key.startswith("__")}
            room = attrs["__module__"].split(".")[1]
            policy = TenantPolicy(name=f"{room}_{name.lower()}_tenant")
            attrs["Meta"] = type("Meta", (), {**own, "constraints": [*own.get("constraints", []), policy]})
        return super().__new__(cls, name, bases, attrs, **kwargs)


def tenant_key(*, checked: bool = True) -> Any:
    """The tenant of a row; not `checked` by a constraint of its own where another key of the row carries it already."""
    return models.ForeignKey(
        Tenant,
        models.PROTECT,
        db_index=False,
        related_name="+",
        default=default_tenant,
        editable=False,
        db_constraint=checked,
    )


class TenantModel(models.Model, metaclass=TenantModelBase):
    """Base of everything that belongs to a tenant: keyed, walled and filled from the context."""

    is_walled: ClassVar[bool] = True
    access: ClassVar[Access] = Access.EDIT
    sealer_access: ClassVar[str] = ""
    extra_policies: ClassVar[tuple[str, ...]] = ()
    audit_type: ClassVar[str] = ""

    id = TenantKey()
    tenant = tenant_key()

    objects = TenantManager()

    class Meta:
        abstract = True
