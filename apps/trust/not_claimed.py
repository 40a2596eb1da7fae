"""What a buyer may expect to read here and does not: said in plain words, so that silence is no hint."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .claims import Claim

NOT_CLAIMED: tuple[Claim, ...] = (
    Claim(
        "penetration_test",
        _("Penetration test"),
        _("No outside firm has tested Orkestra. Its own attack tests run with every change; they replace no tester."),
    ),
    Claim(
        "soc_2",
        _("SOC 2"),
        _("There is no SOC 2 report, of type I or II, and no audit for one has begun."),
    ),
    Claim(
        "iso_27001",
        _("ISO 27001"),
        _("Nobody who makes or runs Orkestra is certified by ISO/IEC 27001 for it."),
    ),
    Claim(
        "soc_partner",
        _("Security operations centre"),
        _(
            "No partner watches around the clock. Events reach a log, a metric and a page; somebody has to look at them."
        ),
    ),
)
