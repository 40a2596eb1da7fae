"""What people type about single sign-on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ..models import Member
from ..rules import Role
from .models import FactorTrust, Kind

JOINING = [(role, role.label) for role in (Role.MEMBER, Role.VIEWER)]


class AddressInput(forms.Form):
    """The work address whose domain names the provider."""

    email = forms.EmailField(label=_("Work e-mail address"))


class ConnectionInput(forms.Form):
    """A provider; Google needs no issuer."""

    kind = forms.ChoiceField(label=_("Provider"), choices=Kind.choices, initial=Kind.OIDC)
    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("Shown on the button, such as Acme login."))
    issuer = forms.URLField(
        label=_("Issuer"),
        max_length=500,
        required=False,
        assume_scheme="https",
        help_text=_(
            "The address that its discovery document names, such as https://login.acme.example. Not for Google."
        ),
    )
    client_id = forms.CharField(label=_("Client id"), max_length=255)
    client_secret = forms.CharField(label=_("Client secret"), max_length=500)
    default_role = forms.ChoiceField(label=_("Role of people who join by it"), choices=JOINING, initial=Role.VIEWER)
    factor_trust = forms.ChoiceField(
        label=_("Does its second factor count?"), choices=FactorTrust.choices, initial=FactorTrust.NEVER
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("kind") == Kind.OIDC and not cleaned.get("issuer") and "issuer" not in self.errors:
            self.add_error("issuer", _("Write the issuer of your provider."))
        return cleaned


class ConnectionChangeInput(forms.Form):
    """What of a provider can change; an empty secret keeps the one that is stored."""

    name = forms.CharField(label=_("Name"), max_length=100)
    client_id = forms.CharField(label=_("Client id"), max_length=255)
    client_secret = forms.CharField(
        label=_("Client secret"), max_length=500, required=False, help_text=_("Leave it empty to keep the stored one.")
    )
    default_role = forms.ChoiceField(label=_("Role of people who join by it"), choices=JOINING)
    factor_trust = forms.ChoiceField(label=_("Does its second factor count?"), choices=FactorTrust.choices)


class DomainInput(forms.Form):
    """A mail domain."""

    domain = forms.CharField(label=_("Mail domain"), max_length=253)


class SsoOnlyInput(forms.Form):
    """Whether only the provider lets members in, and which owners may get past it."""

    on = forms.BooleanField(label=_("Only single sign-on"), required=False)
    break_glass = forms.ModelMultipleChoiceField(
        label=_("Owners who may get in without it"), queryset=Member._base_manager.none(), required=False
    )

    def __init__(self, *args: Any, owners: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["break_glass"].queryset = owners  # type: ignore[attr-defined]
