"""The catalogue of acts against the code: what is registered is recorded, what is recorded is registered, with its facts."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from apps.audit.catalogue import listed, register

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for path in sorted((ROOT / "apps").rglob("*.py")) if "migrations" not in path.parts]
# What leads to an entry: the log's own two doors, and the private functions of rooms that go on to them with a name.
RECORDERS = {"record", "record_platform", "_record", "_everywhere", "_end", "factor_changed", "_tell"}
# Public functions of the rooms' actions that write no entry of their own, each with its reason.
READS = "only reads"
JUDGES = "judges and refuses, and writes nothing"
INSIDE = "a part of an act that records itself"
SENDS = "a message on its way; what it tells of was recorded where it happened"
SILENT = {
    "accounts.sso.may_change": "asks for permissions and a fresh sign-in, and writes nothing",
    "accounts.api_keys.find_api_key": READS,
    "accounts.api_keys.note_use": "the moment of a key's last use; an entry for each request would drown the log",
    "accounts.api_keys.check_no_key": JUDGES,
    "accounts.families.lock_person": "a lock, held for the act that follows",
    "accounts.families.rotate": "the same sign-in goes on every few minutes; a reuse is recorded, by _ask_again",
    "accounts.invitations.look_at": READS,
    "accounts.invitations.digest": READS,
    "accounts.resets.lock_for_reset": "a lock, held for the act that follows",
    "accounts.people.create_person": "a person belongs to no tenant; member.added follows in each",
    "accounts.people.create_proven_person": "a person belongs to no tenant; member.added follows in each",
    "ai.allowance.allowance": READS,
    "ai.ledger.budget_now": READS,
    "ai.ledger.would_fit": READS,
    "accounts.members.keep_an_owner": JUDGES,
    "accounts.members.keep_break_glass": JUDGES,
    "accounts.members.lock_owners": "a lock, held for the act that follows",
    "accounts.members.locked": READS,
    "forms.files.check_writes": JUDGES,
    "forms.access.has_live_owner": READS,
    "approvals.leaving.open_assignments": READS,
    "forms.leaving.owned_alone": READS,
    "forms.ownership.unowned": READS,
    "forms.ownership.role_owns": READS,
    "forms.ownership.team_owns": READS,
    "forms.exports.path_of": READS,
    "approvals.cases.told": READS,
    "approvals.cases.shut_out": READS,
    "approvals.cases.eligible": READS,
    "approvals.cases.due_at": READS,
    "approvals.cases.ask": INSIDE,
    "approvals.cases.close_open_steps": INSIDE,
    "approvals.paths.check_path": JUDGES,
    "approvals.standing_in.take_seat": JUDGES,
    "approvals.standing_in.stored": READS,
    "approvals.standing_in.ran_out": READS,
    "approvals.standing_in.stand_ins_of": READS,
    "billing.plan": READS,
    "trust.policy.keep": "what the browsers of strangers report, thrown away in the end; a security event tells of it",
    "trust.policy.parsed": READS,
    "accounts.sso.proven_domains": READS,
    "accounts.privacy.tenants_with": READS,
    "comms.delivering.prune": "drops deliveries that are older than their time",
    "comms.delivering.requeue_webhooks": SENDS,
    "comms.events.publish_event": SENDS,
    "comms.events.tell": SENDS,
    "comms.events.queue": SENDS,
    "comms.inbox.receive": "kept for its handler, which records what comes of it",
    "comms.inbox.process": "handlers come through a slot; each records what it does",
    "comms.inbox.refuse_forged": "a security event, which operators hear of",
    "comms.inbox.requeue_inbound": SENDS,
    "comms.mail.queue_mail": SENDS,
    "comms.mail.deliver": SENDS,
    "comms.mail.tell_owners": SENDS,
    "forms.access.make_grant": INSIDE,
    "forms.access.check_public": JUDGES,
    "forms.files.check_editable": JUDGES,
    "forms.files.check_filler": JUDGES,
    "forms.forms.check_draft": JUDGES,
    "forms.public.check_room": JUDGES,
    "forms.public.judge_public": JUDGES,
    "forms.public.address_in": READS,
    "forms.public.contact_of": READS,
    "forms.public.uploads_of": READS,
    "forms.submissions.save_draft": "a draft is its writer's own until it is sent, which is recorded with its hash",
    "forms.submissions.judge": JUDGES,
    "forms.submissions.known": READS,
    "forms.submissions.fingerprint": READS,
    "forms.submissions.title_of": READS,
    "forms.submissions.next_reference": INSIDE,
}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(module: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]


def called(node: ast.AST) -> str:
    """The last word of what is called."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@cache
def recordings() -> list[tuple[Path, ast.FunctionDef | None, ast.Call]]:
    """Each call that leads to an entry, with the outermost function around it."""
    found = []
    for path in FILES:
        module = parsed(path)
        around_it = functions(module)
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and called(node) in RECORDERS:
                around = next((f for f in around_it if f.lineno <= node.lineno <= (f.end_lineno or 0)), None)
                found.append((path, around, node))
    return found


def names_in(call: ast.Call) -> tuple[set[str], set[str]]:
    """Names that a call spells out, and patterns of those that it makes of a state."""
    spelled, made = set(), set()
    for argument in call.args:
        for node in ast.walk(argument):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "*" for part in node.values]
                made.add("[a-z_]+".join(re.escape(str(part)) for part in "".join(map(str, parts)).split("*")))
            elif isinstance(node, ast.Constant) and re.fullmatch(r"[a-z_]+\.[a-z_]+", str(node.value)):
                spelled.add(str(node.value))
    return spelled, {pattern for pattern in made if r"\." in pattern}


def all_names() -> tuple[set[str], set[str]]:
    spelled: set[str] = set()
    made: set[str] = set()
    for _path, _around, call in recordings():
        some, patterns = names_in(call)
        spelled |= some
        made |= patterns
    return spelled, made


def test_every_name_that_is_recorded_is_registered():
    assert all_names()[0] - {name for name, _act in listed()} == set()


def test_every_act_that_is_registered_is_recorded_somewhere():
    spelled, made = all_names()
    lost = [name for name, _act in listed() if name not in spelled and not any(re.fullmatch(m, name) for m in made)]
    assert lost == []


def test_every_act_says_what_an_entry_of_it_means():
    bare = [name for name, act in listed() if not str(act.title) or not str(act.meaning)]
    assert bare == [], "Give them a meaning and their facts: Act(title, meaning, fields)."


# Acts that change something and yet have no value before, each with its reason.
NO_BEFORE = {
    "password.changed": "neither is anybody's to know",
    "address.changed": "addresses are not kept in the log",
    "ai.provider_switched": "the switch was the other way before",
    "service_account.switched": "the switch was the other way before",
}
CHANGES = (".changed", ".switched", ".provider_switched", ".overridden", ".required", ".only", ".defined")


def test_an_act_that_changes_something_has_the_value_before_among_its_facts():
    changing = {name: act.fields for name, act in listed() if name.endswith(CHANGES)}
    bare = {name for name, fields in changing.items() if not any("before" in field for field in fields)}
    assert bare == set(NO_BEFORE)
    assert len(changing) > 15


def keys_of(node: ast.AST | None, around: ast.FunctionDef | None) -> set[str]:
    """The names in the dicts of an expression; a variable is looked up in the function around it."""
    if isinstance(node, ast.Name) and around is not None:
        found = [
            one.value for one in ast.walk(around) if isinstance(one, ast.Assign) and node.id in map(target, one.targets)
        ]
        return set().union(*(keys_of(value, None) for value in found)) if found else set()
    if isinstance(node, ast.BinOp):
        return keys_of(node.left, around) | keys_of(node.right, around)
    if isinstance(node, ast.Dict):
        return {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
    return set()


def target(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def test_the_facts_that_the_code_writes_are_those_of_the_catalogue():
    fields = {name: set(act.fields) for name, act in listed()}
    unknown, seen = [], 0
    for path, around, call in recordings():
        facts = next((word.value for word in call.keywords if word.arg == "facts"), None)
        keys = keys_of(facts, around)
        spelled, made = names_in(call)
        for pattern in spelled | made:
            allowed = [names for name, names in fields.items() if re.fullmatch(pattern, name)]
            seen += bool(keys)
            if more := keys - set().union(*allowed):
                unknown.append(f"{path.relative_to(ROOT)}:{call.lineno} {pattern} {sorted(more)}")
    assert not unknown, "\n".join(unknown)
    assert seen > 40


# What the log must tell of, whatever the product is changed into.
MUST = {
    "signing in and out": ("session.opened", "session.closed", "session.ended", "session.refused", "password.refused"),
    "passwords": ("password.reset_asked", "password.changed", "limit.passed"),
    "tokens": ("token.issued", "token.reused", "token.revoked"),
    "keys": (
        "api_key.created",
        "api_key.revoked",
        "signing_key.rotated",
        "log.key_rotated",
        "context.key_rotated",
        "encryption_key.rotated",
    ),
    "second factors": ("factor.added", "factor.removed", "factor.codes_made", "factor.required"),
    "invitations": ("invitation.sent", "invitation.withdrawn", "invitation.accepted"),
    "members and roles": ("member.added", "member.changed", "member.deactivated", "member.reactivated"),
    "super admins": ("person.made_super_admin", "person.unmade_super_admin"),
    "teams": ("team.created", "team.changed"),
    "grants": ("access.granted", "access.revoked", "access.taken", "filling.changed"),
    "forms and versions": ("form.created", "form.changed", "form.published", "form.deleted", "path.published"),
    "submissions and corrections": ("draft.started", "submission.sent", "case.sent_back", "case.resubmitted"),
    "decisions": ("submission.decided", "task.reassigned"),
    "attachments": ("attachment.added", "attachment.removed", "attachment.downloaded", "attachment.corrupt"),
    "exports": ("export.asked", "export.made", "export.downloaded", "export.dropped"),
    "settings": ("tenant.changed", "sso.connected", "sso.changed", "sso.only", "webhook.created", "webhook.changed"),
    "billing": ("plan.started", "plan.changed", "quota.overridden"),
    "flags": ("flag.changed", "flag.overridden"),
    "AI": ("ai.called", "ai.granted", "ai.switched", "ai.budget_reached", "ai.summary_asked", "ai.summary_written"),
    "support": ("support.entered", "support.left"),
    "the log itself": ("audit.viewed", "audit.exported", "log_export.asked", "log_export.downloaded", "stream.added"),
    "privacy": ("privacy.erased",),
}


@pytest.mark.parametrize("about", MUST)
def test_what_must_be_told_is_registered(about):
    assert set(MUST[about]) - {name for name, _act in listed()} == set()


def actions_modules() -> list[Path]:
    rooms = (ROOT / "apps").iterdir()
    return [path for room in sorted(rooms) if room.name != "audit"
            for path in sorted(room.glob("*/actions.py")) + ([room / "actions.py"] if (room / "actions.py").exists() else sorted((room / "actions").glob("[a-z]*.py")))]  # fmt: skip


def reaches() -> dict[str, set[str]]:
    """Function name -> names that it calls, of every function of the rooms; equal names are taken together."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        for node in functions(parsed(path)):
            graph.setdefault(node.name, set()).update(called(inner) for inner in ast.walk(node))
    return graph


def writes_an_entry(name: str, graph: dict[str, set[str]], seen: set[str] | None = None) -> bool:
    seen = set() if seen is None else seen
    if name in {"record", "record_platform"}:
        return True
    if name in seen:
        return False
    seen.add(name)
    ours = {one for one in graph.get(name, set()) if one in graph and one not in METHODS}
    return any(writes_an_entry(one, graph, seen) for one in ours)


# Words that Django's and Python's own objects have too: a call of one says nothing of our function of that name.
METHODS = frozenset({
    "get", "filter", "first", "create", "update", "delete", "save", "exists", "count", "all", "values", "exclude", "add",
    "append", "pop", "items", "keys", "join", "split", "strip", "lower", "read", "write", "close", "open", "run", "list",
    "set", "order_by", "as_json", "now", "check", "apply", "find", "name", "text", "state", "seal", "retrieve", "process",
    "post", "label", "register", "send", "main", "handle", "visible_to", "is_valid", "clean", "decode", "encode", "start",
})  # fmt: skip


@cache
def public_actions() -> dict[str, str]:
    """`room.module.function` -> function."""
    found = {}
    for path in actions_modules():
        parts = [part for part in path.relative_to(ROOT / "apps").with_suffix("").parts if part != "actions"]
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found[".".join([*parts, node.name])] = node.name
    return found


def test_an_action_that_writes_no_entry_is_known_with_its_reason():
    graph = reaches()
    silent = {full for full, name in public_actions().items() if not writes_an_entry(name, graph)}
    assert silent - set(SILENT) == set(), "Record what these do, or say in SILENT why not."


def test_the_table_of_silent_actions_names_only_what_exists():
    assert set(SILENT) - set(public_actions()) == set()


def test_an_act_is_registered_once_and_plain_words_do(monkeypatch):
    monkeypatch.setattr("apps.audit.catalogue._acts", {})
    register({"thing.done": "Did a thing"})
    assert listed()[0].act.title == "Did a thing"
    with pytest.raises(ValueError, match=r"thing\.done"):
        register({"thing.done": "Did it again"})
