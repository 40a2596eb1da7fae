"""Run the worker: jobs and the sealer."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.comms.worker import run
from apps.tenants.catalogue import refuse_a_broken_wall


class Command(BaseCommand):
    help = "Run jobs and seal the audit log until stopped; exits 1 when the database goes away."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--concurrency", type=int, default=2)
        parser.add_argument(
            "--stalled-after", type=int, default=30, help="seconds until a dead worker's jobs are taken"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_a_broken_wall()
        sys.exit(run(settings.DATABASE_DIRECT_URL, options["concurrency"], options["stalled_after"]))
