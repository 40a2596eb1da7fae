"""Make the two demo organisations, once."""

from __future__ import annotations

import os
import secrets
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections, transaction

from apps.accounts.actions import make_super_admin
from apps.accounts.models import User
from apps.forms.demo.seed import ADMIN, Demo


class Command(BaseCommand):
    help = "Make the demo tenants acme and globex with people, forms and weeks of work; does nothing if they exist."

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(email="owner@acme.example").exists():
            self.stdout.write("The demo is there already.")
            return
        given = os.environ.get("ORKESTRA_DEMO_PASSWORD")
        word = given or secrets.token_urlsafe(15)
        with transaction.atomic():
            Demo(word).run()
        if "owner" in connections:
            make_super_admin(User.objects.get(email=ADMIN))
        else:
            self.stdout.write(f"{ADMIN} is no Super Admin: set DATABASE_OWNER_URL and run manage.py super_admin.")
        self.stdout.write(self.style.SUCCESS("The demo is made."))
        if not given:
            self.stdout.write(f"The password of its people: {word}")
