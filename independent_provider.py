"""The npm package `oidc-provider` as a process of its own: a provider that we have not written."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.identity_provider import CLIENT, SECRET

SOURCE = Path(__file__).parent / "oidc"
INSTALL_SECONDS = 180


def install(folder: Path) -> Path:
    """The package, exactly as the lock file says, in a folder of this test run."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        if os.environ.get("CI"):
            raise RuntimeError("In CI there must be node and npm.")
        pytest.skip("NO NODE, so the tests with an independent provider did not run")
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(folder: Path, port: int, redirects: list[str], *, key: str = "RS256", kid: str = "first") -> Iterator[str]:
    """The provider until the block ends; its issuer."""
    issuer = f"http://127.0.0.1:{port}"
    asked = {
        "issuer": issuer, "client_id": CLIENT, "client_secret": SECRET, "key": key, "kid": kid,
        "redirect_uris": redirects or [f"{issuer}/none"],
    }  # fmt: skip
    environment = {**os.environ, "OIDC": json.dumps(asked), "NODE_ENV": "test"}
    process = subprocess.Popen(
        [str(shutil.which("node")), "server.js"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = []
        for line in process.stdout or []:
            said.append(line)
            if line.strip() == "ready":
                break
        assert process.poll() is None, "".join(said)
        yield issuer
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout:
            process.stdout.close()
