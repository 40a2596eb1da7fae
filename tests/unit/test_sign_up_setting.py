"""Whether anybody may sign up: closed unless it is said, open in the demo, and never where no tenant is served."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from orkestra.settings.config import Config


@pytest.mark.parametrize(
    ("said", "surface", "demo", "opened"),
    [
        ("", "all", False, False),
        ("", "all", True, True),
        ("open", "tenant", False, True),
        ("closed", "all", True, False),
        ("open", "platform", True, False),
    ],
)
def test_it_is_open_where_that_is_said_or_shown(tmp_path, said, surface, demo, opened):
    given = {"ORKESTRA_HOME": str(tmp_path), "ORKESTRA_SIGN_UP": said, "ORKESTRA_SURFACE": surface}
    assert Config(given).sign_up_is_open(demo=demo) is opened


def test_a_word_that_means_neither_stops_the_start(tmp_path):
    with pytest.raises(ImproperlyConfigured):
        Config({"ORKESTRA_HOME": str(tmp_path), "ORKESTRA_SIGN_UP": "yes"}).sign_up_is_open(demo=False)
