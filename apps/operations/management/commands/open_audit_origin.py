"""After a restore: open a new origin for the audit logs, which names what is lost."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.sealer import seal_all
from apps.operations import origins
from apps.operations.anchors import Unreachable


class Command(BaseCommand):
    help = (
        "Compare the logs with the anchors; with --yes, go on under a new origin whose first entry names what is lost."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--yes", action="store_true", help="open it; without this only tell")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            loss = origins.find_loss()
        except origins.NothingLost:
            raise CommandError(
                "No anchor is ahead of this database: nothing is lost, and no new origin is needed."
            ) from None
        except Unreachable as fault:
            raise CommandError(f"The anchors cannot be read: {fault}") from None
        anchor = loss.anchor
        self.stdout.write(
            f"{anchor.where} holds {anchor.size} checkpoints ({anchor.name}); this database has {loss.have}."
        )
        for tenant, (first, size) in loss.tenants.items():
            self.stdout.write(
                f"  log {tenant}: entries up to #{size - 1} were signed; from #{first} on they may be lost"
            )
        if not options["yes"]:
            raise CommandError("Nothing was done. With --yes the logs go on under a new origin that names this.")
        number = origins.open_origin(loss)
        seal_all()
        self.stdout.write(self.style.SUCCESS(f"The logs go on under origins that end in /{number}."))
