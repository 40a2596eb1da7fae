"""What ends everything of a person also ends what is just being opened: each waits for the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

from apps.accounts.actions import end_families
from apps.accounts.models import TokenFamily
from tests import database
from tests.attack.test_tokens import obtain
from tests.cast import PASSWORD

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def while_uncommitted(statements: list[tuple[str, list[Any]]], ask: Callable[[], Any]) -> Any:
    """What is answered to a request that began after these statements and before their commit."""

    def work() -> Any:
        try:
            return ask()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, database.superuser() as admin, database.superuser() as looks:
        with admin.transaction():
            for statement, values in statements:
                admin.execute(statement, values)
            future: Future[Any] = pool.submit(work)
            while not wait([future], timeout=0.02).done and not looks.execute(WAITING).fetchone()[0]:
                pass
        return future.result()


@pytest.fixture
def pair(api, acme):
    return obtain(api, acme.editor, acme)


def test_a_sign_in_by_the_password_until_now_opens_nothing_once_there_is_another(acme):
    user, body = acme.editor.user, {"email": acme.editor.email, "password": PASSWORD, "tenant": acme.slug}
    changed = [("UPDATE accounts_user SET password = '!' WHERE id = %s", [user.pk])]
    answer = while_uncommitted(changed, lambda: APIClient().post("/api/v1/auth/token", body))
    assert (answer.status_code, answer.json()["code"]) == (401, "ended_meanwhile")
    assert not TokenFamily.objects.filter(user=user, revoked_at=None).exists()


def test_a_switch_by_a_token_that_is_being_ended_opens_nothing(acme, pair):
    user, bearer = acme.editor.user, {"Authorization": f"Bearer {pair['access']}"}
    ended = [
        ("SELECT 1 FROM accounts_user WHERE id = %s FOR NO KEY UPDATE", [user.pk]),
        ("UPDATE accounts_tokenfamily SET revoked_at = now() WHERE user_id = %s", [user.pk]),
    ]
    ask = {"tenant": acme.slug}
    answer = while_uncommitted(ended, lambda: APIClient().post("/api/v1/auth/switch", ask, headers=bearer))
    assert (answer.status_code, answer.json()["code"]) == (401, "ended_meanwhile")
    assert not TokenFamily.objects.filter(user=user, revoked_at=None).exists()


def test_what_ends_everything_waits_for_what_is_being_opened(acme, pair):
    """The other order: a family that is not yet committed is seen by whoever ends all of them."""
    user = acme.editor.user
    opened = [
        ("SELECT 1 FROM accounts_user WHERE id = %s FOR NO KEY UPDATE", [user.pk]),
        ("UPDATE accounts_tokenfamily SET revoked_at = NULL, id = gen_random_uuid() WHERE user_id = %s", [user.pk]),
    ]
    while_uncommitted(opened, lambda: end_families(user.pk))
    assert not TokenFamily.objects.filter(user=user, revoked_at=None).exists()
