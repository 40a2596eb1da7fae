"""How long one whole evaluation takes in the process that asks, and one over OFREP."""

from __future__ import annotations

import os
import time
from typing import Any
from uuid import UUID

import django

from .stage import Stage

ROUNDS = 200_000
GOAL_P99_US = 5.0
UNITS = [UUID(int=0x0198E1C0000070008000000000000000 + number) for number in range(100)]


def measure(made: Stage) -> dict[str, Any]:
    """Microseconds of `evaluate()` from memory, context, overrides and receipt included; `noop` is the clock's own share."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "orkestra.settings"
    os.environ["ORKESTRA_HOME"] = str(made.home)
    django.setup()
    from apps.flags import evaluation
    from apps.flags.rules import Rule
    from apps.tenants.context import TenantContext, tenant_context

    rules = {
        f"flag-{number}": Rule(f"flag-{number}", "flagd-3", f"flag-{number}", 50_000, False, 1) for number in range(50)
    }
    taken, empty = [], []
    for unit in UNITS:
        evaluation._known[unit] = evaluation._Known(str(unit), rules, {}, time.monotonic() + 3600)
        with tenant_context(TenantContext.system(unit)):
            for turn in range(ROUNDS // len(UNITS)):
                key = f"flag-{turn % 50}"
                start = time.perf_counter_ns()
                evaluation.evaluate(key)
                end = time.perf_counter_ns()
                taken.append((end - start) / 1000)
                empty.append((time.perf_counter_ns() - end) / 1000)
    taken.sort()
    empty.sort()
    found = {
        "evaluations": len(taken),
        "p50_us": round(taken[len(taken) // 2], 2),
        "p99_us": round(taken[len(taken) * 99 // 100], 2),
        "goal_p99_us": GOAL_P99_US,
        "noop_p50_us": round(empty[len(empty) // 2], 2),
    }
    print(found, flush=True)
    return found
