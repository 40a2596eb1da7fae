"""A sentence on the live list has code, tests and a probe; without them it is a claim that nobody checked."""

from __future__ import annotations

import pytest

from apps.tenants.probing import look
from apps.tenants.slots import slots
from apps.trust import claims


@pytest.mark.parametrize("claim", claims.live(), ids=lambda claim: claim.key)
def test_a_live_claim_has_code_tests_and_a_probe(repository, claim):
    assert claim.code
    assert claim.tests
    for path in (*claim.code, *claim.tests):
        assert (repository / path).is_file(), path
    assert slots.probes.get(claim.probe) is not None


@pytest.mark.every_tenant
@pytest.mark.parametrize("claim", claims.live(), ids=lambda claim: claim.key)
def test_a_live_claims_probe_does_not_find_it_broken(wall, claim):
    """Asked without the page's net: a probe that fails where it is run is no probe."""
    assert look(slots.probes.get(claim.probe)).holds is not False


def test_every_claim_stands_on_exactly_one_list():
    assert {claim.key for claim in claims.CLAIMS} == {c.key for c in claims.live()} | {c.key for c in claims.missing()}
    assert len({claim.key for claim in claims.CLAIMS}) == len(claims.CLAIMS)
