"""Put a backup into an empty installation, and prove that it is what was taken."""

from __future__ import annotations

import hashlib
import re
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
from django.core.management import call_command
from psycopg import sql

from apps.accounts.actions import end_every_api_key
from apps.audit.verify import verify
from apps.comms.hold import hold
from apps.operations.streams.models import Stream
from apps.tenants.context import NOBODY, TenantContext, as_system, tenant_context
from apps.tenants.models import Tenant

from .manifest import DUMP, FILES, VERIFIED, Damaged, Manifest, check
from .tools import program, run

Say = Callable[[str], None]
SCHEMA = re.compile(r" (?:SCHEMA - public|(?:ACL|COMMENT) - SCHEMA public) ")
# What could be used again by whoever had it, and mails that may have gone out already; a job that ran when the backup was
# taken would be taken over as a dead worker's. No log tells of these.
ENDED = (
    "DELETE FROM accounts_browsersession",
    "UPDATE accounts_tokenfamily SET revoked_at = now() WHERE revoked_at IS NULL",
    "DELETE FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
)


class NotEmpty(Exception):
    """The target has data already; nothing was touched."""


def restore(folder: Path, *, url: str, reader: str, attachments: Path, say: Say) -> Manifest:
    """Restore into an empty database and an empty folder of files. `url` is the owner's, `reader` the
    backup role's.

    Raises Damaged before anything is written, and after when the result is not what was taken; NotEmpty.
    """
    manifest = check(folder)
    say(f"Both parts have the SHA-256 that the manifest names (made {manifest.made_at}).")
    _refuse_data(url, attachments)
    _load(folder / DUMP, manifest.server, url)
    _unpack(folder / FILES, attachments)
    _count(manifest, reader)
    say(f"{sum(manifest.rows.values())} rows of {len(manifest.rows)} tables and {manifest.files} files are back.")
    call_command("migrate", verbosity=0, interactive=False)
    say("Migrations, grants and the wall between tenants hold.")
    _verify_logs(manifest)
    say(f"{len(manifest.heads)} audit logs verify, each up to the head that the manifest names.")
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in ENDED:
            connection.execute(statement)
    hold()
    _end_keys_and_hold_streams()
    say(
        "Sessions, tokens and API keys are ended. Mails, webhooks and streams are held until `manage.py release_outbox`."
    )
    (folder / VERIFIED).touch()
    return manifest


def _end_keys_and_hold_streams() -> None:
    """In each tenant, for each log tells of its keys. A restored state must not send anything on its own; it may be a drill."""
    with tenant_context(TenantContext(platform=True, credential="system")):
        tenants = list(Tenant.objects.values_list("pk", flat=True))
    for tenant in tenants:
        with as_system(tenant):
            end_every_api_key()
            Stream.objects.update(is_held=True, held_until=None)


def _load(dump: Path, server: int, url: str) -> None:
    """Everything of the dump but the schema itself, which is there and closed already; in one transaction."""
    tool = program("pg_restore", server)
    listed = run([tool, "--list", str(dump)], url)
    lines = [line for line in listed.splitlines() if not SCHEMA.search(line)]
    with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
        chosen.write("\n".join(lines) + "\n")
        chosen.flush()
        command = [tool, "--no-owner", "--single-transaction", "--exit-on-error", f"--use-list={chosen.name}"]
        run([*command, "--dbname", "", str(dump)], url)


def _refuse_data(url: str, attachments: Path) -> None:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    if row is None or row[0]:
        raise NotEmpty("The database has tables already; restore into an empty one.")
    if attachments.is_dir() and any(path.is_file() for path in attachments.rglob("*")):
        raise NotEmpty(f"There are files below {attachments} already; restore where there are none.")


def _unpack(source: Path, attachments: Path) -> None:
    """Every file's bytes must have the hash that is its name. Raises Damaged."""
    attachments.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tarfile.open(source) as tar:
        tar.extractall(attachments, filter="data")
    for path in attachments.rglob("*"):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            raise Damaged(f"The file {path.name[:12]}… has other bytes than its name says.")


def _count(manifest: Manifest, reader: str) -> None:
    """As the backup's role, from which row-level security hides nothing."""
    with psycopg.connect(reader) as connection:
        for name, expected in manifest.rows.items():
            row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
            if row is None or row[0] != expected:
                raise Damaged(f"Table {name} has {row[0] if row else 0} rows; the manifest names {expected}.")


def _verify_logs(manifest: Manifest) -> None:
    with tenant_context(TenantContext(platform=True, credential="system")):
        tenants = list(Tenant.objects.values_list("pk", flat=True))
    for pk in tenants:
        with as_system(pk):
            found = verify()
        seq, head = manifest.heads.get(str(pk), [-1, ""])
        if not found.whole:
            raise Damaged(f"The audit log of {pk} breaks at entry #{found.first_bad}: {found.reason}.")
        if (found.sealed - 1, found.head if found.sealed else "") != (seq, head):
            raise Damaged(f"The audit log of {pk} does not end where the manifest says.")
    with tenant_context(NOBODY):
        if missing := set(manifest.heads) - {str(pk) for pk in tenants}:
            raise Damaged(f"{len(missing)} audit logs of the manifest are missing.")
