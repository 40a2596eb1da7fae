"""A process that spends: it reserves and settles again and again, and kills itself by kill -9 between the two.

`python -m tests.faults.ai_spender TENANT AMOUNT DIES_AT`; exits 3 when the budget covers no more.
"""

from __future__ import annotations

import os
import signal
import sys
from uuid import UUID, uuid4

import django


def main(tenant: str, amount: int, dies_at: int) -> int:
    from apps.ai.actions import BudgetSpent, reserve, settle
    from apps.tenants.context import as_system
    from tests.faults.test_ai_ledger import charge

    with as_system(UUID(tenant)):
        for turn in range(1, 10_000):
            try:
                held = reserve(charge(object_id=str(uuid4())), amount)
            except BudgetSpent:
                return 3
            if turn == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            settle(held, amount // 2 + turn % 3, "answered", {"usage_source": "provider"})
    return 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orkestra.settings")
    django.setup()
    raise SystemExit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
