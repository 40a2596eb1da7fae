"""The Super Admins' site in a real browser: nothing breaks its policy, nothing overflows, light and dark."""

from __future__ import annotations

from apps.accounts.actions import make_super_admin

from .visits import check, resize, sign_in, turn

PAGES = (
    "", "claims/", "operations/alarm/", "trust/policyreport/", "trust/candidatepolicy/",
    "procrastinate/procrastinatejob/", "comms/outboxmessage/", "audit/entry/", "tenants/tenant/",
)  # fmt: skip


ACCENTS = {"dark": "rgb(131, 212, 192)", "light": "rgb(27, 90, 78)"}


def test_the_super_admins_site_is_clean(chromium, address, acme):
    page = sign_in(chromium, address, acme.owner)
    make_super_admin(acme.owner.user)
    for path in PAGES:
        assert page.goto(f"{address}/admin/{path}").status == 200
        for width, scheme in ((360, "dark"), (1280, "light")):
            resize(page, width)
            turn(page, scheme)
            assert page.evaluate("window.violations") == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            accent = page.evaluate("getComputedStyle(document.querySelector('#site-name a')).color")
            assert accent == ACCENTS[scheme], path
    page.goto(f"{address}/admin/claims/")
    for width in (360, 1280):
        resize(page, width)
        check(page, *ACCENTS)
