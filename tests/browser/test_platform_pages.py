"""The Super Admins' site in a real browser: nothing breaks its policy, nothing overflows, light and dark."""

from __future__ import annotations

import pytest

from apps.accounts.models import User

from .visits import check, sign_in

PAGES = (
    "", "claims/", "operations/alarm/", "trust/policyreport/", "trust/candidatepolicy/",
    "procrastinate/procrastinatejob/", "comms/outboxmessage/", "audit/entry/", "tenants/tenant/",
)  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_the_super_admins_site_is_clean(chromium, address, acme, width, scheme):
    page = sign_in(chromium, address, acme.owner, width)
    User.objects.filter(pk=acme.owner.user_id).update(is_platform_admin=True)
    page.emulate_media(color_scheme=scheme)
    for path in PAGES:
        assert page.goto(f"{address}/admin/{path}").status == 200
        assert page.evaluate("window.violations") == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        accent = page.evaluate("getComputedStyle(document.querySelector('#site-name a')).color")
        assert accent == {"dark": "rgb(131, 212, 192)", "light": "rgb(27, 90, 78)"}[scheme], path
    page.goto(f"{address}/admin/claims/")
    check(page)
