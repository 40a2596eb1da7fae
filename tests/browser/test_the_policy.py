"""A real browser reports what a policy blocks, and the report arrives."""

from __future__ import annotations

import time
from io import StringIO

from django.core.management import call_command

from apps.tenants.context import NOBODY, tenant_context
from apps.trust.models import PolicyReport

PATIENCE_SECONDS = 20


def kept(**wanted):
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with tenant_context(NOBODY):
            if found := PolicyReport.objects.filter(**wanted).first():
                return found
        time.sleep(0.05)
    raise AssertionError(f"No such report arrived: {wanted}")


def test_what_the_policy_in_force_stops_is_reported(chromium, address):
    page = chromium.new_context().new_page()
    page.goto(f"{address}/security")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://elsewhere.example/x.png'}))")
    found = kept(disposition="enforce", blocked="https://elsewhere.example", page="/security")
    assert found.directive == "img-src"


def test_a_candidate_that_a_page_breaks_stops_nothing_and_is_reported(chromium, address):
    call_command("csp_candidate", "start", "style-src 'none'", stdout=StringIO())
    try:
        page = chromium.new_context().new_page()
        page.goto(f"{address}/security")
        found = kept(disposition="report", page="/security")
        assert found.directive == "style-src-elem"
        assert page.evaluate("document.styleSheets.length") > 0
    finally:
        call_command("csp_candidate", "end", stdout=StringIO())
