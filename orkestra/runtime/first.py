"""The first start: what is asked of the person at the terminal, and what they are told."""

from __future__ import annotations

import signal
import subprocess
import sys

from .home import PROJECT, Home
from .process import Interrupted
from .screen import say

QUESTIONS = (
    ("--email", "Your e-mail address: "),
    ("--name", "Your name: "),
    ("--tenant-name", "Name of your organisation: "),
    ("--tenant", "Its short name in addresses, such as acme: "),
)


def ask_for_owner(home: Home, environment: dict[str, str]) -> None:
    """Make the first owner from what the person types, once; an empty answer leaves it for later."""
    mark = home.root / "owner-made"
    if mark.exists():
        return
    say("There is nobody yet. Who is the first owner? (Leave empty to do it later.)")
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while True:
            given: list[str] = []
            for option, question in QUESTIONS:
                if not (answer := input(question).strip()):
                    return
                given += [option, answer]
            command = [sys.executable, str(PROJECT / "manage.py"), "create_owner", *given]
            if subprocess.run(command, env=environment).returncode == 0:
                mark.touch(mode=0o600)
                return
    except KeyboardInterrupt:
        raise Interrupted from None
    except EOFError:
        return
    finally:
        signal.signal(signal.SIGINT, usual)


def greet(port: int, word: str, *, demo: bool, given: bool) -> None:
    """Say that it runs and how to sign in. `word` is the demo's password when it was made just now."""
    say(f"Orkestra is ready at http://localhost:{port}")
    if word:
        say("Sign in as owner@, editor@, reviewer@ or viewer@acme.example, owner@globex.example,")
        say("or as the Super Admin admin@orkestra.example (then /admin/).")
        say("Their password is your ORKESTRA_DEMO_PASSWORD." if given else f"Their password: {word}")
        if not given:
            say("It is shown only now.")
    elif demo:
        say("Sign in as before; owner@acme.example and the others have the password of the first start.")
    else:
        say("No demo was asked for; .venv/bin/python manage.py create_owner --help tells how to make an owner.")
    say("Ctrl-C stops everything.")
