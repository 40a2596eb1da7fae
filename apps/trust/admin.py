"""What browsers report about our policy, and the policy on trial, for Super Admins; to look at."""

from __future__ import annotations

from django.contrib import admin

from apps.tenants.admin import LookOnly

from .models import CandidatePolicy, PolicyReport


@admin.register(PolicyReport)
class PolicyReportAdmin(LookOnly):
    list_display = ["last_at", "page", "directive", "blocked", "disposition", "count", "first_at", "policy"]
    list_filter = ["disposition", "directive", "policy"]
    search_fields = ["page", "blocked"]
    ordering = ["-last_at"]
    exclude = ["key"]


@admin.register(CandidatePolicy)
class CandidatePolicyAdmin(LookOnly):
    """`manage.py csp_candidate` starts and ends one."""

    list_display = ["__str__", "started_at", "ended_at"]
    ordering = ["-started_at"]
