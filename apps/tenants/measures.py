"""Every number that monitoring reads, in one list. No label ever names a tenant, a person or an address.

Web workers and the worker each write their own files below PROMETHEUS_MULTIPROC_DIR, and `orkestra.runtime.metrics`
adds them up. Without that variable (tests, commands by hand) the numbers live and die with the process.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
JOB_SECONDS = (0.01, 0.05, 0.25, 1, 5, 15, 60, 300)

REQUESTS = Counter("orkestra_http_requests", "Requests answered.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "orkestra_http_request_duration_seconds", "Until the answer starts.", ["route", "method"], buckets=SECONDS
)
DEPENDENCY_ERRORS = Counter("orkestra_dependency_errors", "Calls that failed for want of a server.", ["dependency"])
for _name in ("database", "cache"):
    DEPENDENCY_ERRORS.labels(_name)
DEPENDENCY_UP = Gauge(
    "orkestra_dependency_up",
    "1 while it answers, as the worker sees it.",
    ["dependency"],
    multiprocess_mode="mostrecent",
)
JOBS_RUN = Counter("orkestra_jobs", "Jobs run.", ["task", "outcome"])
JOB_DURATION = Histogram("orkestra_job_duration_seconds", "How long jobs ran.", ["task"], buckets=JOB_SECONDS)
SECURITY_EVENTS = Counter("orkestra_security_events", "Security events raised.", ["kind"])
SECURITY_EVENTS_DROPPED = Counter("orkestra_security_events_dropped", "Security events that could not be kept.")
POLICY_REPORTS = Counter("orkestra_csp_reports", "Content Security Policy reports received.", ["outcome"])


def _observed(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
    """What the worker finds by looking, every few seconds; see OBSERVED_AT for when it last did."""
    return Gauge(name, text, labels, multiprocess_mode="mostrecent")


OBSERVED_AT = _observed("orkestra_observed_timestamp_seconds", "When the worker last looked.")
OUTBOX = _observed("orkestra_outbox_messages", "Mails by state.", ("state",))
OUTBOX_OLDEST = _observed("orkestra_outbox_oldest_seconds", "Age of the oldest mail that waits.")
JOBS = _observed("orkestra_jobs_by_status", "Jobs in the queue's table by status.", ("status",))
JOBS_OLDEST = _observed("orkestra_jobs_oldest_seconds", "Age of the oldest job that could run and does not.")
UNSEALED_OLDEST = _observed("orkestra_audit_oldest_unsealed_seconds", "Age of the oldest entry without a seal.")
STREAMS = _observed("orkestra_audit_streams", "Streams of audit logs by health.", ("health",))
STREAM_OUTAGES = Counter("orkestra_audit_stream_outages", "Streams that failed for so long that owners were told.")
STREAM_LAG = _observed("orkestra_audit_stream_lag_seconds", "Age of the oldest entry that a running stream lacks.")
ANCHOR_AT = _observed(
    "orkestra_audit_anchor_newest_timestamp_seconds",
    "When the newest head that a place outside holds was signed; 0 without one.",
    ("place",),
)
ANCHOR_LAG = _observed(
    "orkestra_audit_anchor_lag_seconds", "Age of the oldest signed head that a place outside lacks.", ("place",)
)
EVENTS_UNSEEN = _observed("orkestra_security_events_unseen", "Kept security events nobody has seen.", ("kind",))
PROBES = _observed("orkestra_probe_state", "1 for the state a claim's probe found.", ("probe", "state"))
PROBED_AT = _observed("orkestra_probed_timestamp_seconds", "When all probes were last run.")
BACKUP_AT = _observed("orkestra_backup_newest_timestamp_seconds", "When the newest backup was made; 0 without one.")
