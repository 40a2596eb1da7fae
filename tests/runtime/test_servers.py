"""The embedded servers by themselves, and the roles on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from apps.tenants import roles
from orkestra.runtime.home import SERVER_USER, Account, Home, Stop, server_account
from orkestra.runtime.postgres import Postgres, binaries
from orkestra.runtime.process import Child

from .conftest import PROJECT


def account() -> Account | None:
    return server_account() if os.geteuid() == 0 else None


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Postgres]:
    """A cluster in a home whose path is too long for a socket; it stands while no test runs it."""
    home = Home(place / ("long" * 30), account())
    home.prepare()
    made = Postgres(home, binaries(home), fast=True)
    made.initialise()
    yield made
    (home.sockets / "left").unlink(missing_ok=True)


def run_once(server: Postgres) -> str:
    """Start the server, ask it for its version, and stop it."""
    child: Child = server.child()
    child.start()
    try:
        server.wait(child)
        with psycopg.connect(server.admin_url("postgres")) as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0])
    finally:
        child.stop()


def test_a_home_with_a_long_path_gets_its_sockets_in_a_short_private_folder(server: Postgres) -> None:
    assert len(str(server.home.sockets)) < 100 < len(str(server.home.root))
    assert server.home.sockets.stat().st_mode & 0o077 == 0
    assert run_once(server).startswith("18.")


def test_a_pid_file_that_names_a_living_stranger_does_not_stop_the_server(server: Postgres) -> None:
    stranger = f"{os.getpid()}\n{server.data}\n1\n5432\n{server.home.sockets}\n\n"
    (server.data / "postmaster.pid").write_text(stranger)
    (server.home.sockets / ".s.PGSQL.5432.lock").write_text(stranger)
    assert run_once(server).startswith("18.")


def test_data_of_another_major_version_is_refused_naming_the_way(place: Path) -> None:
    home = Home(place / "older", account())
    home.prepare()
    (home.root / "postgresql-17").mkdir()
    with pytest.raises(Stop, match=r"postgresql-17.*dump it with that version.*verify_audit"):
        Postgres(home, Path("/unused")).initialise()


def test_throw_away_servers_return_the_commands_exit_code_and_leave_nothing() -> None:
    code = "import os, sys; print(os.environ['ORKESTRA_HOME']); sys.exit(7)"
    command = [sys.executable, "-m", "orkestra.runtime", "with-servers", "--", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr
    assert not Path(done.stdout.strip()).exists()


def admin(database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
    url = psycopg.conninfo.make_conninfo(os.environ["ORKESTRA_TEST_ADMIN_URL"], dbname=database)
    return psycopg.connect(url, autocommit=True)


def test_no_role_of_ours_is_powerful_and_only_the_backup_reads_past_the_wall() -> None:
    with admin() as connection:
        found = connection.execute(
            "SELECT rolname, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication, rolbypassrls"
            " FROM pg_roles WHERE rolname = ANY(%s)",
            [list(roles.ALL)],
        ).fetchall()
    assert {(name, False, name == roles.BACKUP) for name in roles.ALL} == set(found)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE t (a int)",
        "CREATE TABLE public.t (a int)",
        "SELECT * FROM pg_stat_activity",
        "SELECT pg_stat_get_activity(NULL)",
        "SELECT pg_cancel_backend(1)",
        "SELECT lo_create(0)",
        "SELECT lo_get(1, 0, 1)",
        "SET ROLE orkestra_owner",
    ],
)
def test_the_apps_role_may_not(statement: str) -> None:
    with (
        psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_our_roles_enter_no_database_but_ours(database: str) -> None:
    url = psycopg.conninfo.make_conninfo(os.environ["DATABASE_URL"], dbname=database)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url)


def test_a_role_without_its_password_does_not_enter() -> None:
    url = psycopg.conninfo.make_conninfo(os.environ["DATABASE_URL"], password="another")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_the_roles_can_be_made_again_on_a_server_of_ones_own() -> None:
    command = [sys.executable, "manage.py", "bootstrap_database", "--admin-url"]
    url = psycopg.conninfo.make_conninfo(os.environ["ORKESTRA_TEST_ADMIN_URL"], dbname="orkestra")
    done = subprocess.run([*command, url], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("30s",)


def test_an_address_of_the_wrong_role_is_refused_by_name() -> None:
    command = [sys.executable, "manage.py", "bootstrap_database", "--admin-url", "postgresql:///x"]
    environment = os.environ | {"DATABASE_SEALER_URL": os.environ["DATABASE_URL"]}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "DATABASE_SEALER_URL must name the role orkestra_sealer" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes the user")
def test_the_servers_user_cannot_sign_in_to_the_machine() -> None:
    import pwd

    assert pwd.getpwnam(SERVER_USER).pw_shell.endswith(("nologin", "false"))
