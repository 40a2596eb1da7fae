"""What is dangerous passes a fresh sign-in only, with the second factor of those who have one."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from apps.tenants import clock
from apps.tenants.context import NOBODY, TenantContext, tenant_context
from apps.tenants.freshness import NotFresh, require_fresh
from apps.tenants.refusals import Forbidden
from apps.tenants.slots import slots


def passes(*, age, amr=("pwd",), has_one=False, monkeypatch, **more):
    monkeypatch.setattr(slots, "has_second_factor", lambda user: has_one)
    moment = None if age is None else clock.now() - timedelta(seconds=age)
    acting = {"user": uuid4(), "credential": "jwt", "auth_time": moment, "amr": amr, **more}
    with tenant_context(TenantContext(**acting)):
        try:
            require_fresh("export.ask")
        except NotFresh:
            return False
        return True


@pytest.mark.parametrize(
    ("age", "amr", "has_one", "passed"),
    [
        (0, ("pwd",), False, True),
        (290, ("pwd",), False, True),
        (310, ("pwd",), False, False),
        (None, ("pwd",), False, False),
        (0, ("pwd",), True, False),
        (0, ("pwd", "otp"), True, True),
        (0, ("pwd", "hwk"), True, True),
        (0, ("pwd", "kba"), True, True),
        (0, ("fed", "mfa"), True, True),
        (0, ("pwd", "fed"), True, False),
        (310, ("pwd", "otp"), True, False),
    ],
)
def test_only_a_fresh_sign_in_passes(monkeypatch, age, amr, has_one, passed):
    assert passes(age=age, amr=amr, has_one=has_one, monkeypatch=monkeypatch) is passed


def test_nobody_never_passes():
    with tenant_context(NOBODY), pytest.raises(NotFresh):
        require_fresh("export.ask")


def test_a_key_never_passes(monkeypatch):
    with pytest.raises(Forbidden):
        passes(age=0, credential="api_key", monkeypatch=monkeypatch)


def test_a_room_that_does_not_know_asks_for_the_second_factor():
    assert type(slots)().has_second_factor(uuid4())


def test_the_challenge_is_that_of_rfc_9470():
    assert NotFresh().challenge == 'Bearer realm="orkestra", error="insufficient_user_authentication", max_age="300"'
