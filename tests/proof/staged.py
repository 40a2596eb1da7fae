"""The demo at work in a database of its own, as the tests of both doors need it, for a proof that runs without pytest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.cache import cache
from django.db import connections
from django.test import override_settings
from django.test.utils import setup_test_environment, teardown_test_environment

from apps.flags.evaluation import listener
from apps.operations.alarms import keeper
from tests import cast, database

DATABASE = "orkestra_proof_doors"


@contextmanager
def demo() -> Iterator[cast.DemoCast]:
    """Make and seed it, hand out its people, and drop it."""
    settings = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"], "IS_DEMO": True}
    usual = str(connections["default"].settings_dict["NAME"])
    setup_test_environment()
    try:
        with tempfile.TemporaryDirectory(prefix="orkestra-proof-") as folder:
            places = {name: Path(folder) / name for name in ("ATTACHMENTS_ROOT", "EXPORTS_ROOT")}
            with override_settings(**settings, **places):
                database.make(DATABASE)
                cache.clear()
                cast.demo.cache_clear()
                yield cast.demo()
    finally:
        keeper.end()
        listener.end()
        for alias in connections:
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = usual
        database.drop(DATABASE)
        teardown_test_environment()
