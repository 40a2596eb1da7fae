"""What of this room a plan limits, counted from the rows of the tenant in force."""

from __future__ import annotations

from datetime import UTC

from django.db.models import Count, Sum
from django.db.models.functions import TruncMonth

from .models import Attachment, Form, Submission


def forms() -> dict[str, int]:
    """Forms."""
    return {"": Form.objects.count()}


def submissions() -> dict[str, int]:
    """Submissions by the month (UTC) in which they were sent: `2026-11` -> how many."""
    months = Submission.objects.exclude(submitted_at=None).annotate(month=TruncMonth("submitted_at", tzinfo=UTC))
    rows = months.order_by().values("month").annotate(amount=Count("id"))
    return {f"{row['month']:%Y-%m}": row["amount"] for row in rows}


def storage() -> dict[str, int]:
    """The bytes of files."""
    return {"": Attachment.objects.aggregate(amount=Sum("size"))["amount"] or 0}
