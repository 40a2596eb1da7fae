"""`manage.py` in a process of its own: one command, or several asked of one process, since each process loads for seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from .conftest import PROJECT

SECONDS = 180
SEVERAL = """
import contextlib, io, json, sys, traceback
import manage

for command in json.loads(sys.argv[1]):
    sys.argv, code = ["manage.py", *command], 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            manage.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:
            traceback.print_exc()
            code = 1
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""
Done = subprocess.CompletedProcess[str]


def manage(environment: Mapping[str, str], *command: str) -> Done:
    """`manage.py …`, with these variables beside ours."""
    return _run(environment, ["manage.py", *command])


def manage_all(environment: Mapping[str, str], *commands: Sequence[str]) -> list[Done]:
    """Several commands, one after the other in one process: how each ended, and what it wrote."""
    done = _run(environment, ["-c", SEVERAL, json.dumps(commands)])
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [Done(list(command), *ended) for command, ended in zip(commands, found, strict=True)]


def _run(environment: Mapping[str, str], arguments: list[str]) -> Done:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
