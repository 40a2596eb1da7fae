"""Processes that spend: they reserve and settle again and again, and kill themselves by kill -9 between the two.

`python -m tests.faults.ai_spender TENANT AMOUNT` reads DIES_AT from each line, forks two of them, and writes how both
ended: -9 when killed, 3 when the budget covered no more. It loads once and itself never touches the database.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from uuid import UUID, uuid4

import django


def spend(tenant: str, amount: int, dies_at: int) -> int:
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


def forked(tenant: str, amount: int, dies_at: int) -> int:
    """The id of a process that spends."""
    if child := os.fork():
        return child
    code = 1
    try:
        code = spend(tenant, amount, dies_at)
    finally:
        os._exit(code)


def main(tenant: str, amount: int) -> None:
    for line in sys.stdin:
        pair = [forked(tenant, amount, int(line)) for _ in range(2)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in pair]
        sys.stdout.write(f"{json.dumps(codes)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orkestra.settings")
    django.setup()
    import tests.faults.test_ai_ledger  # noqa: F401  before it forks, so that none of them loads it again

    main(sys.argv[1], int(sys.argv[2]))
