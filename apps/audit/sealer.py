"""Number and chain what is committed and not yet sealed; the only code that runs as the sealer's role.

One at a time per tenant, by an advisory lock that ends with the transaction. "Not yet sealed" is asked of the rows
themselves: a cursor over ids would miss transactions that commit late.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connections, transaction

from apps.tenants.context import TenantContext, tenant_context
from apps.tenants.ids import new_id

from .chain import START, chain_of, leaf_of
from .models import Seal

BATCH = 1000
ALIAS = "sealer"
UNSEALED = """
    SELECT e.id, e.body FROM audit_entry e
    WHERE e.tenant_id = %s
      AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.id)
    ORDER BY e.time, e.id LIMIT %s"""
WAITING = """
    SELECT DISTINCT e.tenant_id FROM audit_entry e
    WHERE NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.id)"""


def seal(tenant: UUID) -> int:
    """Seal all that waits in one tenant's log; returns how many. Waits for another sealer of the same tenant."""
    total = 0
    with tenant_context(TenantContext.system(tenant)):
        while sealed := _seal_batch(tenant):
            total += sealed
            if sealed < BATCH:
                break
    return total


def seal_all() -> int:
    """Seal all that waits in every log; returns how many."""
    with tenant_context(TenantContext.system(None)), connections[ALIAS].cursor() as cursor:
        cursor.execute(WAITING)
        waiting = [row[0] for row in cursor.fetchall()]
    return sum(seal(tenant) for tenant in waiting)


def _seal_batch(tenant: UUID) -> int:
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"orkestra.seal:{tenant}"])
        cursor.execute("SELECT seq, chain FROM audit_seal WHERE tenant_id = %s ORDER BY seq DESC LIMIT 1", [tenant])
        last = cursor.fetchone()
        seq, head = (last[0] + 1, bytes(last[1])) if last else (0, START)
        cursor.execute(UNSEALED, [tenant, BATCH])
        seals = []
        for entry_id, body in cursor.fetchall():
            leaf = leaf_of(bytes(body))
            head = chain_of(head, leaf)
            seals.append(Seal(id=new_id(), tenant_id=tenant, seq=seq, entry_id=entry_id, leaf=leaf, chain=head))
            seq += 1
        Seal.objects.db_manager(ALIAS).bulk_create(seals)
    return len(seals)
