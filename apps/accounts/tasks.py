"""The jobs of identity: the daily look at proven domains, and the links that somebody asked for."""

from __future__ import annotations

from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.jobs import RetryStrategy, periodic_task, task_apart

from . import actions as identity
from .sso import actions
from .sso.models import SsoDomain


@periodic_task(name="accounts.look_at_domains", cron="41 4 * * *", queue="accounts")
def look_at_domains(timestamp: int) -> None:
    """Look at each proven domain again; one whose record was missing three days in a row is given up."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        rows = list(SsoDomain.objects.verified().values_list("tenant_id", "pk"))
    for tenant, pk in rows:
        with as_system(tenant):
            if found := SsoDomain.objects.filter(pk=pk).first():
                actions.check_domain(found)


@task_apart(name="accounts.mail_reset_link", queue="accounts", retry=RetryStrategy(max_attempts=5, exponential_wait=3))
def mail_reset_link(*, sealed: str) -> None:
    """Mail the link that somebody asked for, where the address is somebody's."""
    identity.mail_reset_link(sealed)


@task_apart(name="accounts.mail_sign_up", queue="accounts", retry=RetryStrategy(max_attempts=5, exponential_wait=3))
def mail_sign_up(*, sealed: str) -> None:
    """Mail what somebody asked for who wants to sign up."""
    identity.mail_sign_up(sealed)


@task_apart(
    name="accounts.tell_of_wrong_password", queue="accounts", retry=RetryStrategy(max_attempts=5, exponential_wait=3)
)
def tell_of_wrong_password(*, sealed: str) -> None:
    """Tell the tenants of whoever has the address that somebody tried to sign in as them."""
    identity.tell_of_wrong_password(sealed)


@task_apart(
    name="accounts.mail_address_link", queue="accounts", retry=RetryStrategy(max_attempts=5, exponential_wait=3)
)
def mail_address_link(*, sealed: str) -> None:
    """Mail the link that makes another address somebody's."""
    identity.mail_address_link(sealed)
