"""The jobs of monitoring."""

from __future__ import annotations

from procrastinate.contrib.django import app

from . import observe


@app.periodic(cron="*/5 * * * *")
@app.task(name="operations.probe_all", queue="operations", queueing_lock="operations.probe_all")
def probe_all(timestamp: int) -> None:
    """Every claim's probe, for the metrics; and what is too old goes."""
    observe.probe_all()
    observe.forget_old()
