"""What the project demands of its own files."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.together import TOGETHER

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(path for room in ("apps", "orkestra", "scripts") for path in (ROOT / room).rglob("*.py"))
OURS = [path for path in CODE if "migrations" not in path.parts]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LONGER = {"scripts/orkestra_verify.py": 864}  # one file by its promise: whoever verifies takes nothing else of ours
FORBIDDEN = {
    "an inline style": re.compile(r"\sstyle\s*=|<style"),
    "an inline handler": re.compile(r"\son[a-z]+\s*="),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)"),
    "a script without a nonce": re.compile(r"<script(?![^>]*nonce=)"),
    "unescaped output": re.compile(r"\|\s*safe\b|autoescape\s+off|safeseq"),
    "an address of another site": re.compile(r"(?:src|href)\s*=\s*[\"']https?://"),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_template_has_nothing_that_the_policy_forbids(path):
    text = path.read_text()
    assert [what for what, pattern in FORBIDDEN.items() if pattern.search(text)] == []


@pytest.mark.parametrize("path", OURS, ids=name)
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= LONGER.get(name(path), 400)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 40, node.name


def test_code_stands_in_the_rooms_and_not_beside_them():
    assert [path.name for path in ROOT.glob("*.py")] == ["manage.py"]
    folders = {
        path.relative_to(ROOT).parts[0] for path in ROOT.glob("[a-z]*/**/*.js") if "node_modules" not in path.parts
    }
    assert folders <= {"static", "tests"}


@pytest.mark.parametrize("word", ["utils", "helpers", "services", "signals", "common", "misc"])
def test_no_room_has_a_drawer_for_everything(word):
    assert [name(path) for path in CODE if path.stem == word] == []


@cache
def method_calls() -> set[tuple[str, str, str]]:
    """(file, name before the dot, method) of each call in the rooms; what is no plain name before the dot is ""."""
    return {
        (name(path), getattr(node.func.value, "id", ""), node.func.attr)
        for path in OURS
        if "apps" in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def calls(method: str, of: str | None = None) -> set[str]:
    return {file for file, before, called in method_calls() if called == method and of in (None, before)}


def test_nobody_chooses_a_database_by_hand():
    assert calls("using") == set()


def test_sql_is_written_by_hand_only_in_places_that_are_known():
    assert calls("execute", of="cursor") | calls("ask", of="asking") | calls("raw") | calls("extra") <= {
        "apps/tenants/catalogue.py",
        "apps/tenants/inserting.py",
        "apps/accounts/actions/api_keys.py",
        "apps/accounts/membership.py",
        "apps/forms/access.py",
        "apps/accounts/actions/invitations.py",
        "apps/accounts/limits.py",
        "apps/ai/probes.py",
        "apps/accounts/sso/finding.py",
        "apps/audit/sealer.py",
        "apps/audit/checkpoints.py",
        "apps/audit/incarnations.py",
        "apps/audit/spans.py",
        "apps/audit/walk.py",
        "apps/audit/probes.py",
        "apps/audit/private.py",
        "apps/audit/pruning.py",
        "apps/audit/reconcile.py",
        "apps/audit/searched.py",
        "apps/audit/settled.py",
        "apps/billing/panels.py",
        "apps/flags/probes.py",
        "apps/operations/health.py",
        "apps/operations/probes.py",
        "apps/trust/probes.py",
        "apps/forms/actions/submissions.py",
        "apps/forms/public.py",
    }


def test_html_is_marked_safe_only_by_the_ui():
    users = {name(path) for path in OURS if re.search(r"\bmark_safe\b", path.read_text())}
    assert users <= {"apps/ui/templatetags/ui.py"}


def test_every_public_function_of_the_rooms_is_annotated():
    missing = []
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is None:
                missing.append(f"{name(path)}: {node.name}")
    assert missing == []


def test_the_list_of_what_a_person_may_set_is_in_the_readme():
    from orkestra.settings.config import VARIABLES

    text = (ROOT / "README.md").read_text() + (ROOT / "SECURITY.md").read_text()
    needed = ["ORKESTRA_HOME", "ORKESTRA_PORT", "DATABASE_URL", "REDIS_URL", "EMAIL_URL"]
    assert set(needed) <= {variable.name for variable in VARIABLES}
    assert [word for word in needed if word not in text] == []


def test_every_icon_that_is_named_exists(repository):
    from apps.tenants.slots import slots
    from apps.ui.templatetags.ui import LOOKS, icon

    named = {picture for _tone, picture in LOOKS.values()} | {item.icon for item in slots.navigation}
    for path in TEMPLATES:
        named |= set(re.findall(r"{%\s*icon\s+\"([a-z0-9-]+)\"", path.read_text()))
    for picture in sorted(named):
        assert icon(picture).startswith('<svg width="16" height="16" '), picture


@pytest.mark.parametrize("path", TOGETHER)
def test_what_stays_in_one_process_is_there(path):
    assert (ROOT / path).exists()
