"""The worker: jobs, and the sealer beside them, in one process that ends when either does."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from django.db import connections
from procrastinate import App
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg.errors import RaiseException

from apps.audit.checkpoints import checkpoint_all
from apps.audit.sealer import seal_all, seal_forgotten
from apps.tenants.measures import JOB_DURATION, JOBS_RUN
from apps.tenants.slots import slots

from .notices import Connector

log = structlog.get_logger(__name__)
SEAL_EVERY_SECONDS = 0.5
CHECKPOINT_EVERY_SECONDS = 30.0
HEARTBEAT_SECONDS = 1.0
LONGEST_POLL_SECONDS = 5
MOST_RUNS_OF_ONE_JOB = 5
# Queues whose jobs wait for strangers, each with a worker of its own: they must not hold up mail and everything else.
SLOW_QUEUES = {"webhooks": 4, "streams": 6, "streams_slow": 2}
STOP_SECONDS = 10


def run(dsn: str, concurrency: int, stalled_after: int) -> int:
    """Work until told to stop; 0 after SIGTERM or SIGINT, 1 when the database or a part of the worker went away.

    A worker that shows no sign of life for `stalled_after` seconds has its jobs taken over.
    """
    return asyncio.run(_run(dsn, concurrency, stalled_after))


async def _run(dsn: str, concurrency: int, stalled_after: int) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    halt = threading.Event()
    # A job, the sealer and the heartbeats have a thread each; by itself Python has as few as the machine has processors.
    threads = concurrency + sum(SLOW_QUEUES.values()) + 2
    loop.set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="work"))
    connector = Connector(conninfo=dsn, min_size=1, max_size=concurrency + sum(SLOW_QUEUES.values()) + 6)
    worker_app: App = app.with_connector(connector)
    quick = sorted({task.queue for task in worker_app.tasks.values()} - set(SLOW_QUEUES) | {"default"})
    async with worker_app.open_async():
        parts: set[asyncio.Task[Any]] = {
            asyncio.create_task(_work(worker_app, quick, concurrency, stalled_after), name="jobs"),
            *(
                asyncio.create_task(_work(worker_app, [name], several, stalled_after), name=name)
                for name, several in SLOW_QUEUES.items()
            ),
            asyncio.create_task(asyncio.to_thread(_seal_until, halt), name="sealer"),
            asyncio.create_task(asyncio.to_thread(_beat_until, halt), name="heartbeats"),
            asyncio.create_task(_retry_stalled(worker_app, stalled_after), name="stalled"),
        }
        told = asyncio.create_task(stopping.wait(), name="told to stop")
        done, _ = await asyncio.wait({*parts, told}, return_when=asyncio.FIRST_COMPLETED)
        halt.set()
        for part in parts - done:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
    if told in done:
        return 0
    told.cancel()
    for part in done:
        log.error("worker_part_ended", part=part.get_name(), error=repr(part.exception()))
    return 1


async def _work(worker_app: App, queues: list[str], concurrency: int, stalled_after: int) -> None:
    """Work off these queues."""
    await worker_app.run_worker_async(
        queues=queues,
        concurrency=concurrency,
        install_signal_handlers=False,
        listen_notify=True,
        # Only a job that is taken over from a dead worker comes without a notice.
        fetch_job_polling_interval=min(LONGEST_POLL_SECONDS, stalled_after),
        delete_jobs="successful",
        update_heartbeat_interval=stalled_after / 3,
        stalled_worker_timeout=stalled_after,
        shutdown_graceful_timeout=STOP_SECONDS,
        worker_middleware=[_measured],
    )


async def _measured(call_next: Any, context: Any, worker: Any) -> Any:
    """Every job leaves one line, with the id of the request that caused it, and counts."""
    started, outcome = time.perf_counter(), "failed"
    try:
        result = await call_next()
        outcome = "done"
        return result
    finally:
        elapsed, job = time.perf_counter() - started, context.job
        JOBS_RUN.labels(job.task_name, outcome).inc()
        JOB_DURATION.labels(job.task_name).observe(elapsed)
        ids = {key: job.task_kwargs.get(name) for key, name in (("tenant", "tenant_id"), ("request_id", "request_id"))}
        about = {key: value for key, value in ids.items() if value}
        log.info("job", task=job.task_name, job=job.id, outcome=outcome, ms=round(elapsed * 1000, 1), **about)


def _seal_until(halt: threading.Event) -> None:
    """Seal twice a second, first whatever an earlier run left, and sign what has grown.

    Raises when the database is gone, which ends the worker.
    """
    signed_at = -CHECKPOINT_EVERY_SECONDS
    try:
        seal_forgotten()
        while not halt.is_set():
            if sealed := seal_all():
                log.info("sealed", entries=sealed)
            if time.monotonic() - signed_at >= CHECKPOINT_EVERY_SECONDS:
                signed_at = time.monotonic()
                if signed := checkpoint_all():
                    log.info("signed", logs=signed)
            halt.wait(SEAL_EVERY_SECONDS)
    finally:
        connections.close_all()


def _beat_until(halt: threading.Event) -> None:
    """Run what the rooms ask to be done every second; one that fails is logged and does not stop the others."""
    try:
        while not halt.is_set():
            for heartbeat in slots.heartbeats:
                try:
                    heartbeat.run()
                except Exception:
                    # Whatever breaks one of them must not end jobs, mail and sealing.
                    log.exception("heartbeat_failed", heartbeat=heartbeat.key)
                    connections.close_all()
            halt.wait(HEARTBEAT_SECONDS)
    finally:
        connections.close_all()


async def _retry_stalled(worker_app: App, stalled_after: int) -> None:
    """Jobs of a worker that died are run again, a few times at most; then they stay failed for a person to look at."""
    manager = worker_app.job_manager
    while True:
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=stalled_after):
            await _take_over(manager, job)
        await asyncio.sleep(stalled_after / 3)


async def _take_over(manager: JobManager, job: Job) -> None:
    """Run a stalled job again, unless it ran too often, waits already under its lock, or is another worker's by now."""
    try:
        if job.attempts < MOST_RUNS_OF_ONE_JOB:
            await manager.retry_job(job)
            log.warning("job_resumed", task=job.task_name, job=job.id)
        else:
            await manager.finish_job(job, status=Status.FAILED, delete_job=False)
            log.error("job_given_up", task=job.task_name, job=job.id)
    except UniqueViolation:
        # The same work was asked for again since and waits under the same queueing lock: once is enough.
        await manager.finish_job(job, status=Status.ABORTED, delete_job=True)
        log.warning("job_waits_already", task=job.task_name, job=job.id)
    except ConnectorException as error:
        if not isinstance(error.__cause__, RaiseException):
            raise
        # The library's function found the job no longer running: another worker was quicker.
        log.info("job_taken_elsewhere", task=job.task_name, job=job.id)
