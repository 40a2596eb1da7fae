"""The one-command run: it starts, stays, stops, and says in a sentence why it does not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from .conftest import PROJECT, Installation, is_gone, until

DEMO_SEED = "Making two demo organisations"


def test_it_says_where_it_is_and_answers_there(running: Installation) -> None:
    assert f"Orkestra is ready at http://localhost:{running.port}" in running.said
    assert running.is_ready()


def test_the_people_of_the_demo_can_sign_in(running: Installation) -> None:
    assert running.signs_in()
    assert running.signs_in("reviewer")
    assert running.signs_in("owner", "globex")


def test_nothing_in_the_home_can_be_read_by_others(running: Installation) -> None:
    folders = [path for path in running.home.rglob("*") if path.is_dir()]
    closed = {path for path in folders if not path.stat().st_mode & 0o001}
    # What lies below a folder that is closed to others cannot be reached, whatever its own mode.
    reachable = [path for path in running.home.rglob("*") if not closed & {*path.parents}]
    assert running.home / "secrets" in reachable
    is_open = [path for path in reachable if path.stat().st_mode & 0o006 and "programs" not in path.parts]
    assert is_open == []
    assert running.home.stat().st_mode & 0o066 == 0


@pytest.mark.parametrize("word", ["granian", "manage.py work"])
def test_web_and_worker_do_not_know_the_owners_address(running: Installation, word: str) -> None:
    names = until(lambda: running.child(word), f"{word} runs").environ().keys()
    assert "DATABASE_URL" in names
    assert not {"DATABASE_OWNER_URL", "DATABASE_BACKUP_URL", "ORKESTRA_DEMO_PASSWORD"} & names


def test_a_second_run_of_the_same_home_is_refused_in_one_sentence(running: Installation) -> None:
    assert running.refused() == f"Orkestra is already running from {running.home}."
    assert running.is_ready()


def test_a_killed_worker_is_started_again(running: Installation) -> None:
    running.kill("manage.py work")


def test_a_killed_web_server_is_started_again_without_its_old_workers(running: Installation) -> None:
    old = until(lambda: running.child("granian"), "the web server runs").children()
    running.kill("granian")
    until(lambda: all(is_gone(process) for process in old), "the old workers are gone")
    until(running.is_ready, "the web server answers again")


def test_one_killed_web_worker_is_replaced(running: Installation) -> None:
    server = until(lambda: running.child("granian"), "the web server runs")
    workers = until(lambda: len(found := server.children()) == 2 and found, "two workers run")
    workers[0].kill()
    until(lambda: {workers[1].pid} < {each.pid for each in server.children() if not is_gone(each)}, "another one runs")
    until(running.is_ready, "the web server answers")


def test_a_killed_postgresql_is_started_again_and_has_its_data(running: Installation) -> None:
    running.kill("bin/postgres")
    until(running.is_ready, "it is ready again")
    assert running.signs_in()


def test_a_killed_valkey_is_started_again(running: Installation) -> None:
    running.kill("valkey-server")
    until(running.is_ready, "it is ready again")


def test_ctrl_c_stops_everything_and_the_next_start_keeps_the_data(running: Installation) -> None:
    processes = running.processes()
    assert running.stop(signal.SIGINT) == 0
    assert [process for process in processes if not is_gone(process)] == []
    running.start()
    assert DEMO_SEED not in running.said
    assert running.signs_in()


def test_another_key_of_the_logs_for_an_old_database_stops_the_start_and_says_why(running: Installation) -> None:
    key, kept = running.home / "secrets" / "audit.pem", running.home / "secrets" / "kept.pem"
    signed = running.home / "anchors"
    until(lambda: list(signed.rglob("*.checkpoint")), "the logs are signed")
    assert running.stop() == 0
    key.rename(kept)
    said = running.refused()
    kept.replace(key)
    last = said.splitlines()[-1]
    assert last.startswith("manage.py migrate failed: ")
    assert "no key of ORKESTRA_AUDIT_KEY has signed the newest checkpoint" in last
    running.start()
    assert running.signs_in()


def test_nothing_outlives_a_killed_supervisor_and_it_can_start_again_at_once(running: Installation) -> None:
    processes = running.processes()
    assert len(processes) > 5
    running.stop(signal.SIGKILL)
    running.start()
    until(lambda: all(is_gone(process) for process in processes), "everything of the killed run is gone")
    assert running.signs_in()


def test_a_signal_during_the_first_start_leaves_nothing(another: Installation) -> None:
    another.process = subprocess.Popen(**another.command(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    until(lambda: another.child("bin/postgres"), "PostgreSQL runs")
    processes = another.processes()
    assert another.stop(signal.SIGTERM) == 0
    assert [process for process in processes if not is_gone(process)] == []


def test_a_taken_port_is_refused_in_one_sentence_that_names_another(another: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", another.port))
        taken.listen()
        said = another.refused()
    assert said.startswith(f"Port {another.port} is taken by another program. Try: ORKESTRA_PORT=")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("port", "what"),
    [("0", "a port number"), ("80000", "a port number"), ("-1", "a port number"), ("web", "a whole number")],
)
def test_a_port_that_is_none_is_refused_in_one_sentence(another: Installation, port: str, what: str) -> None:
    assert another.refused(ORKESTRA_PORT=port) == f"ORKESTRA_PORT must be {what}, not '{port}'."


def test_what_starts_finds_its_bytecode_although_it_may_not_write_any(tmp_path: Path) -> None:
    for name in ("apps/room.py", "orkestra/room.py", "scripts/environment.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name if name.startswith("scripts") else PROJECT / "manage.py", tmp_path / name)
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    command = ["bash", "-c", f"source {tmp_path}/scripts/environment.sh && bytecode"]
    assert subprocess.run(command, env=environment, timeout=60).returncode == 0
    assert {path.parents[1].name for path in tmp_path.glob("*/__pycache__/room.*.pyc")} == {"apps", "orkestra"}


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs everything as itself")
def test_a_home_that_the_servers_cannot_enter_is_refused_in_one_sentence(place: Path, another: Installation) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700, exist_ok=True)
    said = another.refused(ORKESTRA_HOME=str(closed / "home"))
    assert "cannot enter" in said
    assert len(said.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs everything as itself")
def test_as_root_the_servers_run_as_an_unprivileged_user(running: Installation) -> None:
    for word in ("bin/postgres", "valkey-server"):
        assert until(lambda name=word: running.child(name), f"{word} runs").uids().effective != 0


def test_servers_that_the_environment_names_are_used_instead_of_our_own(
    another: Installation, named: dict[str, str]
) -> None:
    """Without a demo, since that database may hold real people. The web serves tenants only."""
    del another.given["ORKESTRA_DEMO"]
    another.given |= named
    another.given["ORKESTRA_SURFACE"] = "tenant"
    another.start()
    assert another.is_ready()
    assert "DATABASE_PLATFORM_URL" not in another.child("granian").environ(), (
        "the tenant surface holds no such password"
    )
    assert "DATABASE_PLATFORM_URL" in another.child("manage.py work").environ()
    names = " ".join(" ".join(process.cmdline()) for process in psutil.Process(another.process.pid).children())
    assert "granian" in names
    assert "postgres" not in names
    assert not list(another.home.glob("postgresql-*"))
    assert DEMO_SEED not in another.said
    assert another.stop() == 0
