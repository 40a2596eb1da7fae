"""Who acts, in which tenant, with which powers: one frozen value that every room reads and only two places set.

The gateway sets it from a verified credential, the job wrapper from a job's arguments. A thread or task that was
started without it has none, and then tenant models raise and the database returns nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from .refusals import Forbidden
from .security_events import Kind, security_event_now_and_then


class MissingContext(RuntimeError):
    """Tenant data was asked for while no tenant is known. A bug in our code, never a user's mistake."""


@dataclass(frozen=True, slots=True)
class TenantContext:
    """One request's or job's identity. Ids only: no room needs to know the members' table to check a permission."""

    tenant: UUID | None = None
    user: UUID | None = None
    member: UUID | None = None
    permissions: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    auth_time: datetime | None = None
    amr: tuple[str, ...] = ()
    credential: str = "none"
    request_id: str = ""
    platform: bool = False
    impersonator: UUID | None = None
    is_service: bool = False

    @classmethod
    def system(cls, tenant: UUID | None, request_id: str = "") -> Self:
        """Orkestra itself at work in one tenant: a job, a command, the sealer."""
        return cls(tenant=tenant, credential="system", request_id=request_id)

    def allows(self, permission: str) -> bool:
        """Whether the role grants it and the credential's scopes, where it has any, do not withhold it."""
        return permission in self.permissions and (self.scopes is None or permission in self.scopes)


NOBODY = TenantContext()
_current: ContextVar[TenantContext] = ContextVar("orkestra_context", default=NOBODY)


def current() -> TenantContext:
    """The context in force; NOBODY where none was set."""
    return _current.get()


def current_tenant() -> UUID:
    """The tenant in force. Raises MissingContext when there is none."""
    tenant = _current.get().tenant
    if tenant is None:
        raise MissingContext("No tenant is known here; enter tenant_context() first.")
    return tenant


@contextmanager
def tenant_context(context: TenantContext) -> Iterator[TenantContext]:
    """Act as this context inside the block, and as before after it."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


@contextmanager
def as_system(tenant: UUID) -> Iterator[TenantContext]:
    """Act as Orkestra itself in one tenant, under the request id already in force."""
    with tenant_context(TenantContext.system(tenant, current().request_id)) as context:
        yield context


@contextmanager
def as_platform(tenant: UUID) -> Iterator[TenantContext]:
    """Act for the installation in one tenant: as the Super Admin whose request it is, by id, else as Orkestra itself."""
    acting = current()
    if not acting.platform or acting.user is None:
        with as_system(tenant) as context:
            yield context
    else:
        with with_changes(tenant=tenant, platform=False, permissions=frozenset()) as context:
            yield context


@contextmanager
def as_visitor(tenant: UUID) -> Iterator[TenantContext]:
    """Act as somebody unknown at a public address of one tenant: nobody's identity and no permission."""
    with tenant_context(TenantContext(tenant=tenant, request_id=current().request_id)) as context:
        yield context


@contextmanager
def with_changes(**changes: object) -> Iterator[TenantContext]:
    """The context in force with some fields replaced."""
    with tenant_context(replace(current(), **changes)) as context:  # type: ignore[arg-type]
        yield context


def refuse_support() -> None:
    """Raise Forbidden during a support visit: a visitor never fills, sends, decides or takes back for others."""
    if current().impersonator is not None:
        raise Forbidden("A support visit does not do this for anybody.", code="support_visit")


def require(permission: str) -> None:
    """Raise Forbidden unless the context in force holds the permission."""
    acting = current()
    if not acting.allows(permission):
        about = f"{acting.user}:{acting.tenant}:{permission}"
        security_event_now_and_then(Kind.ESCALATION_DENIED, about=about, permission=permission)
        raise Forbidden(permission=permission)
