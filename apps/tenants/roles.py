"""The database roles: one for each power, none SUPERUSER, and only the backup's reads past the wall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import Connection, sql

OWNER = "orkestra_owner"
APP = "orkestra_app"
PLATFORM = "orkestra_platform"
SEALER = "orkestra_sealer"
BACKUP = "orkestra_backup"
ALL = (OWNER, APP, PLATFORM, SEALER, BACKUP)
VARIABLES = {
    "DATABASE_URL": APP,
    "DATABASE_DIRECT_URL": APP,
    "DATABASE_OWNER_URL": OWNER,
    "DATABASE_PLATFORM_URL": PLATFORM,
    "DATABASE_SEALER_URL": SEALER,
    "DATABASE_BACKUP_URL": BACKUP,
}
WORKING = (APP, PLATFORM, SEALER, BACKUP)
PLAIN = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT"
STATEMENT_TIMEOUTS = {APP: "30s", PLATFORM: "60s", SEALER: "60s"}
# A session that waits for a lock or forgets its transaction must not hold up the others.
WAITING_TIMEOUTS = {"lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s"}
# Sessions of one role could read each other's statements there, with the values in them.
HIDDEN_VIEWS = ("pg_stat_activity", "pg_prepared_xacts", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs")
# Reading or ending another session of the same role; large objects, which no policy guards; and locks by number, with
# which one statement could signal to another tenant's, or hold up the sealer, the only role that takes them.
CLOSED_FUNCTIONS = (
    "pg_stat_get_activity", "pg_stat_get_backend_activity", "pg_cancel_backend", "pg_terminate_backend",
    "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared",
    "pg_try_advisory_lock", "pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_shared", "pg_advisory_unlock_all",
    "lo_creat", "lo_create", "lo_export", "lo_from_bytea", "lo_get", "lo_import", "lo_open", "lo_put", "lo_unlink",
)  # fmt: skip
SEALERS_LOCK = "pg_catalog.pg_advisory_xact_lock(bigint)"


def bootstrap(admin: Connection[Any], passwords: Mapping[str, str], database: str) -> None:
    """Make the roles, their passwords and their place in the database; run by a superuser connected to that database.

    Doing it again changes nothing but the passwords. `admin` is in autocommit.
    """
    for role in ALL:
        _make_role(admin, role, passwords[role])
    close_database(admin, database)


def close_database(admin: Connection[Any], database: str) -> None:
    """Let only our roles into the database this connection is on, and leave them nothing that PUBLIC has by default."""
    name = sql.Identifier(database)
    admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(OWNER)))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    admin.execute(sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    admin.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(OWNER)))
    for role in WORKING:
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(role)))
        admin.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role)))
    for view in HIDDEN_VIEWS:
        admin.execute(sql.SQL("REVOKE ALL ON pg_catalog.{} FROM PUBLIC").format(sql.Identifier(view)))
    found = admin.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        " AND proname = ANY(%s) ORDER BY 1",
        [list(CLOSED_FUNCTIONS)],
    ).fetchall()
    for (function,) in found:
        admin.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
    admin.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(SEALERS_LOCK), sql.Identifier(SEALER)))


def _make_role(admin: Connection[Any], role: str, password: str) -> None:
    name = sql.Identifier(role)
    if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        admin.execute(sql.SQL("CREATE ROLE {}").format(name))
    bypass = "BYPASSRLS" if role == BACKUP else "NOBYPASSRLS"
    attributes = sql.SQL(f"LOGIN {PLAIN} {bypass}")
    # Only the verifier is sent: no server log can hold the password.
    verifier = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    admin.execute(sql.SQL("ALTER ROLE {} WITH {} PASSWORD {}").format(name, attributes, sql.Literal(verifier)))
    if role in STATEMENT_TIMEOUTS:
        for setting, value in ({"statement_timeout": STATEMENT_TIMEOUTS[role]} | WAITING_TIMEOUTS).items():
            admin.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
            )
    if role == BACKUP:
        # INHERIT is needed for pg_read_all_data to count.
        admin.execute(sql.SQL("ALTER ROLE {} INHERIT").format(name))
        admin.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(name))
