"""Change the key that signs the audit logs, with both signing for as long as you want."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from apps.audit import keys, note
from apps.audit.actions import record
from apps.audit.checkpoints import NotSigned, checkpoint, checkpoint_all, checkpoint_instance, newest_checkpoint
from apps.audit.models import Checkpoint, Log
from apps.audit.sealer import seal, seal_all
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant


class Command(BaseCommand):
    help = (
        "Make a new key the first one and let the old one sign beside it; --finish ends the old one. Each is an entry of "
        "every log, signed by both. Running processes take the new key at once."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--finish", action="store_true", help="the older keys sign no more")
        how.add_argument(
            "--lost",
            action="store_true",
            help="the key of before is lost: go on where its public half, in the file, fits",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["lost"]:
            self._go_on_without()
            return
        path = self._path()
        held = keys.signing_keys()
        if options["finish"] and len(held) == 1:
            raise CommandError("Only one key signs; there is nothing to finish.")
        if not options["finish"] and len(held) > 1:
            raise CommandError("Two keys sign already; finish that rotation first.")
        if options["finish"]:
            self._refuse_before_all_is_signed(note.raw_public(held[0].public_key()))
            self._tell("log.key_retired", _handed_over(held[0], held[1]))
            self._write(path, held[:1], [note.raw_public(old.public_key()) for old in held[1:]])
        else:
            fresh = Ed25519PrivateKey.generate()
            self._write(path, (fresh, *held))
            self._tell("log.key_rotated", _handed_over(fresh, held[0]))
        for public in keys.public_keys():
            self.stdout.write(f"signs: {keys.fingerprint(public)}")

    def _go_on_without(self) -> None:
        """A lost key cannot sign beside the new one; what it signed last must fit its public half."""
        (new, *_more), lost = keys.public_keys(), keys.retired_keys()
        if not lost:
            raise CommandError(
                f"Put the public half of the lost key (BEGIN PUBLIC KEY) behind the one in force in {keys.VARIABLE}."
            )
        self._refuse_before_all_is_signed(new, keys.known_keys())
        self._tell("log.key_lost", {"new": keys.fingerprint(new), "old": keys.fingerprint(lost[0])})
        self.stdout.write(f"signs: {keys.fingerprint(new)}")

    def _refuse_before_all_is_signed(self, public: bytes, by: list[bytes] | None = None) -> None:
        """By the new key: without the old one the newest head of a log that lacks it would be nobody's."""
        lacking = []
        for tenant in self._tenants():
            with as_system(tenant.pk):
                seal(tenant.pk)
                why = self._why_unsigned(partial(checkpoint, tenant.pk, by), Log.ENTRIES, public)
            lacking += [f"the log of {tenant.slug}: {why}"] if why else []
        with as_system(PLATFORM_TENANT_ID):
            why = self._why_unsigned(partial(checkpoint_instance, by), Log.INSTANCE, public)
        lacking += [f"the log of all checkpoints: {why}"] if why else []
        if lacking:
            told = "\n  ".join(lacking)
            raise CommandError(
                f"The old key is still needed, for the newest head of these logs lacks the new one's signature:\n  {told}"
            )

    def _why_unsigned(self, sign: Callable[[], Checkpoint | None], log: Log, public: bytes) -> str:
        """Sign where that is due; why the newest head of the log in force lacks this key, empty where it does not."""
        why = "it was signed without it"
        try:
            sign()
        except NotSigned as fault:
            why = str(fault)
        newest = newest_checkpoint(log)
        return "" if newest is None or keys.has_signed(newest.note, newest.origin, public) else why

    def _path(self) -> Path:
        _value, source = settings.CONFIG.find(keys.VARIABLE)
        path = source.partition(", file ")[2]
        if not path:
            raise CommandError(f"{keys.VARIABLE} does not come from a file: name one by {keys.VARIABLE}_FILE.")
        return Path(path)

    def _write(self, path: Path, held: tuple[Ed25519PrivateKey, ...], ended: Iterable[bytes] = ()) -> None:
        """In one step, with the owner of the file before; the public half of whatever signed before stays in it."""
        text = b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in held)
        for public in (*ended, *keys.retired_keys()):
            key = Ed25519PublicKey.from_public_bytes(public)
            text += key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        before, beside = path.stat(), path.with_name(path.name + ".partial")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:
            os.chown(beside, before.st_uid, before.st_gid)
        beside.replace(path)

    def _tell(self, action: str, facts: dict[str, str]) -> None:
        """An entry in every log, signed."""
        for tenant in self._tenants():
            with as_system(tenant.pk), transaction.atomic():
                record(action, tenant, facts=facts)
        seal_all()
        checkpoint_all()

    def _tenants(self) -> list[Tenant]:
        with tenant_context(TenantContext(platform=True, credential="system")):
            return list(Tenant.objects.all())


def _handed_over(new: Ed25519PrivateKey, old: Ed25519PrivateKey) -> dict[str, str]:
    """The old key signs the new one's bytes, so that the hand-over itself can be verified."""
    publics = [note.raw_public(key.public_key()) for key in (new, old)]
    return {
        "new": keys.fingerprint(publics[0]),
        "old": keys.fingerprint(publics[1]),
        "new_key": base64.b64encode(publics[0]).decode(),
        "old_key": base64.b64encode(publics[1]).decode(),
        "signed_by_old": base64.b64encode(old.sign(b"orkestra-audit-key\n" + publics[0])).decode(),
    }
