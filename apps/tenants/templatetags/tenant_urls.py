"""Addresses inside the tenant of the page."""

from __future__ import annotations

from typing import Any

from django import template

from ..pages import turl as tenant_url

register = template.Library()


@register.simple_tag(takes_context=True)
def turl(context: template.Context, name: str, **kwargs: Any) -> str:
    """`{% turl 'forms:list' %}`: the page's address for the tenant of this request."""
    return tenant_url(context["request"], name, **kwargs)
