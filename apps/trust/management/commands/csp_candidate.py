"""Try a Content Security Policy beside the one in force."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.tenants.refusals import Invalid
from apps.trust.models import CandidatePolicy, PolicyReport
from apps.trust.policy import actions


class Command(BaseCommand):
    help = "csp_candidate start \"img-src 'self'; style-src 'self' 'nonce'\" · csp_candidate show · csp_candidate end"

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("what", choices=["start", "show", "end"])
        parser.add_argument("policy", nargs="?", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['what']}")(options["policy"])

    def _start(self, policy: str) -> None:
        try:
            made = actions.start_candidate(actions.parsed(policy))
        except Invalid as invalid:
            raise CommandError(str(invalid)) from None
        self.stdout.write(self.style.SUCCESS(f"Pages carry it within 5 seconds, report-only: {made}"))

    def _show(self, policy: str) -> None:
        row = CandidatePolicy.objects.filter(ended_at=None).order_by("-started_at", "-id").first()
        self.stdout.write(f"{row}, since {row.started_at:%Y-%m-%d %H:%M} UTC" if row else "There is no candidate.")
        for found in PolicyReport.objects.filter(disposition="report").order_by("-last_at")[:50]:
            self.stdout.write(f"{found.count:>8} × {found.directive} {found.blocked} on {found.page}")

    def _end(self, policy: str) -> None:
        ended = actions.end_candidate()
        self.stdout.write("The candidate has ended." if ended else "There was no candidate.")
