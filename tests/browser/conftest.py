"""A real Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

# Playwright drives Chromium from an event loop in this thread; the tests themselves are plain and blocking.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="package")  # while it is there, its event loop is, and other tests start their own
def one_chromium() -> Iterator[Any]:
    """Debian's Chromium, else one that Playwright installed; in CI there must be one."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
            )
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"NO BROWSER, so the browser tests did not run: {error}")
        yield browser
        browser.close()


@pytest.fixture
def chromium(one_chromium: Any) -> Iterator[Any]:
    """The browser; what a test opened in it is closed behind it."""
    yield one_chromium
    for context in one_chromium.contexts:
        context.close()
