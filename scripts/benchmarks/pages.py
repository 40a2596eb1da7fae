"""`pages`: submit, list, home page and audit page of the demo, one visitor at a time and eight at once."""

from __future__ import annotations

import http.client
import re
from typing import Any
from urllib.parse import urlencode

from . import submit
from .load import Call, Figures, run
from .stage import PASSWORD, Stage

ALONE, TOGETHER = 1, 8
REQUESTS = {ALONE: 100, TOGETHER: 400}
WARM_UP = 40


def measure(stage: Stage) -> dict[str, Any]:
    """Each of them with both numbers of visitors; the tenant is the demo's acme, with its weeks of work."""
    editor, owner = "editor@acme.example", "owner@acme.example"
    form = stage.ask("POST", "/forms", submit.FORM, stage.token(editor, "acme"))
    stage.ask("POST", f"/forms/{form['id']}/publish", {}, stage.token(editor, "acme"))
    cookie = {"Cookie": session(stage, owner)}
    pages = {
        "home_page": Call(stage.port, "/t/acme/", None, cookie, 200, "GET"),
        "submissions_page": Call(stage.port, "/t/acme/submissions/", None, cookie, 200, "GET"),
        "audit_page": Call(stage.port, "/t/acme/settings/audit-log/", None, cookie, 200, "GET"),
    }
    found: dict[str, Any] = {}
    for clients in (ALONE, TOGETHER):
        # Access tokens live five minutes, so each round takes one of its own.
        token = {"Authorization": f"Bearer {stage.token(editor, 'acme')}"}
        calls = {
            "submit": Call(stage.port, f"/api/v1/forms/{form['id']}/submissions", {"data": submit.DATA}, token),
            "list": Call(stage.port, "/api/v1/submissions", None, token, 200, "GET"),
            **pages,
        }
        for name, call in calls.items():
            run(call, clients=clients, requests=WARM_UP)
            figures: Figures = run(call, clients=clients, requests=REQUESTS[clients])
            print(figures.line(f"{name}, {clients} at once"))
            found.setdefault(name, {})[f"{clients}_at_once"] = figures.as_json()
    return found


def session(stage: Stage, email: str) -> str:
    """Sign in by the form; the cookies of the session."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=30)
    connection.request("GET", "/account/login/")
    answer = connection.getresponse()
    word = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.read().decode())
    cookies = _cookies(answer)
    body = urlencode({"login": email, "password": PASSWORD, "csrfmiddlewaretoken": word[1] if word else ""})
    headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/account/login/", body, headers | {"Origin": f"http://localhost:{stage.port}"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 302:
        raise RuntimeError(f"Signing in answered {answer.status}.")
    return _cookies(answer)


def _cookies(answer: http.client.HTTPResponse) -> str:
    return "; ".join(value.split(";", 1)[0] for value in answer.headers.get_all("Set-Cookie") or [])
