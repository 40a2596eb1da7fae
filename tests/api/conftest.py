"""What tests of the API share."""

from __future__ import annotations

import pytest

from tests.models import ModelServer


@pytest.fixture
def model(settings):
    server = ModelServer()
    settings.AI_URL, settings.AI_MODEL, settings.AI_PRICE = server.url, "small-1", "1/2"
    yield server
    server.end()
