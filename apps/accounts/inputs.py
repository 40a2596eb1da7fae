"""What people type on the pages of settings and invitations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from allauth.account.forms import ChangePasswordForm
from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from apps.tenants.slots import Tie

from . import actions, limits
from .actions.leaving import MADE
from .models import Member
from .rules import PERMISSIONS, RESERVED_ADDRESSES, Role, may_be_address


@cache
def timezones() -> list[tuple[str, str]]:
    """Those that this machine knows, for a choice; looking takes longer than a page, so it is done once."""
    return [(name, name) for name in sorted(available_timezones())]


class InvitationInput(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(label=_("E-mail address"))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.MEMBER)
    teams = forms.MultipleChoiceField(label=_("Teams"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, teams: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["teams"].choices = [(str(team.pk), team.name) for team in teams]  # type: ignore[attr-defined]


class ApiKeyInput(forms.Form):
    """What a new key is for, what it may do, and for how long."""

    name = forms.CharField(label=_("What is it for?"), max_length=100)
    account = forms.ModelChoiceField(
        label=_("It acts as"), queryset=Member._base_manager.none(), required=False, empty_label=_("me")
    )
    scopes = forms.MultipleChoiceField(label=_("It may"), widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(label=_("Days until it ends"), min_value=1, max_value=365, initial=90)

    def __init__(self, *args: Any, held: frozenset[str], accounts: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]
        choices = [(name, title) for name, title in PERMISSIONS.items() if name in held]
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]


class ServiceAccountInput(forms.Form):
    """A program's own account: a name and a role."""

    name = forms.CharField(label=_("Name"), max_length=100)
    role = forms.ChoiceField(
        label=_("Role"), choices=[(role.value, role.label) for role in (Role.MEMBER, Role.VIEWER)], initial=Role.MEMBER
    )


class LeavingInput(forms.Form):
    """Who takes over what depends on a member who leaves; what nobody needs to take is only shown, what blocks stops it.

    Where they made keys of service accounts, `keep_keys` says whether those live on.
    """

    def __init__(self, *args: Any, ties: Sequence[Tie], people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.blocking = [tie for tie in ties if tie.blocks]
        self.shown = [tie for tie in ties if not tie.needs_heir and not tie.blocks]
        for tie in ties:
            if tie.needs_heir:
                self.fields[tie.key] = forms.ModelChoiceField(people, label=str(tie.title), empty_label=_("Choose …"))
        self.heirs = [self[name] for name in self.fields]
        if any(tie.key.startswith(MADE) for tie in ties):
            self.fields["keep_keys"] = forms.BooleanField(
                label=_("Keep the service accounts' keys that they made"),
                help_text=_("Only where a program would stand still: they may have kept the text of each."),
                required=False,
            )

    def clean(self) -> None:
        for tie in self.blocking:
            self.add_error(None, str(tie.title))


class TeamInput(forms.Form):
    """A team's name and short name."""

    name = forms.CharField(label=_("Name"), max_length=200)
    slug = forms.SlugField(label=_("Short name"), max_length=63)


class SeatInput(forms.Form):
    """A member to put into a team."""

    member = forms.ModelChoiceField(label=_("Member"), queryset=Member._base_manager.none(), empty_label=_("Choose …"))

    def __init__(self, *args: Any, members: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["member"].queryset = members  # type: ignore[attr-defined]


class TenantInput(forms.Form):
    """The tenant's name and the zone of its business days."""

    name = forms.CharField(label=_("Name"), max_length=200)
    timezone = forms.ChoiceField(label=_("Time zone"), choices=timezones)


class JoinInput(forms.Form):
    """A new person who accepts an invitation."""

    name = forms.CharField(label=_("Your name"), max_length=200)
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput,
        help_text=_("At least 15 characters; a few words in a row are easy to remember."),
    )


class SignUpInput(forms.Form):
    """The address to which a link goes, for signing up or to be a person's from now on."""

    email = forms.EmailField(label=_("E-mail address"), max_length=254)


class OrganisationInput(forms.Form):
    """An organisation that somebody begins and owns."""

    organisation = forms.CharField(label=_("Name of your organisation"), max_length=200)
    slug = forms.CharField(
        label=_("Its address"),
        max_length=63,
        required=False,
        help_text=_("Its pages are at /t/<address>/, and it cannot be changed. Left empty, it follows from the name."),
    )
    timezone = forms.ChoiceField(label=_("Time zone"), choices=timezones, initial="UTC")

    def clean(self) -> None:
        """Suggest an address where none was typed; the suggestion stands in the field, whatever else is wrong."""
        typed, name = self.cleaned_data.get("slug"), self.cleaned_data.get("organisation", "")
        if typed is None or not (typed or name):
            return
        slug = typed.lower() or slugify(name)[:63].replace("_", "-").strip("-")
        self.cleaned_data["slug"] = slug
        self.data = {**dict(self.data.items()), "slug": slug}
        if not may_be_address(slug):
            self.add_error("slug", _("Write 2 to 63 lower-case letters and digits, with single hyphens between them."))
        elif slug in RESERVED_ADDRESSES | {settings.DISCLOSURE_TENANT}:
            self.add_error("slug", _("This address is taken already; choose another."))


class FoundingInput(OrganisationInput, JoinInput):
    """A new person, and the organisation that they begin with."""


class ResetInput(forms.Form):
    """The address to which a link for a new password goes."""

    email = forms.EmailField(label=_("E-mail address"), max_length=254)

    def save(self, request: HttpRequest) -> None:
        """As allauth's page calls it. Who has this address is looked up by a job: see `actions.ask_for_reset`."""
        actions.ask_for_reset(self.cleaned_data["email"])


class PasswordChangeInput(ChangePasswordForm):  # type: ignore[misc]
    """The password until now and a new one; a wrong one here counts and is recorded as at sign-in."""

    def clean_oldpassword(self) -> str:
        """The password until now, if it is right. Raises TooMany."""
        person = str(self.user.pk)
        limits.spend(limits.GUESSES_AT_CHANGE, person)
        try:
            typed: str = super().clean_oldpassword()
        except forms.ValidationError:
            actions.sign_in_refused(self.user.email)
            raise
        limits.give_back(limits.GUESSES_AT_CHANGE, person)
        return typed


class SuspensionInput(forms.Form):
    """Why a tenant is shut out or let in again, and its address typed once more."""

    typed = forms.CharField(
        label=_("Address of the tenant"),
        max_length=63,
        help_text=_("Type it once more, so that it is surely this one."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("The tenant's owners get it by mail."),
    )

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"]).strip()
        if typed != self.tenant.slug:
            raise forms.ValidationError(_("Type the address exactly: %(slug)s") % {"slug": self.tenant.slug})
        return typed


class SupportInput(forms.Form):
    """Which tenant a Super Admin enters, and why."""

    tenant = forms.ModelChoiceField(label=_("Tenant"), queryset=Tenant.objects.none())
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("The tenant's owners get it by mail."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Tenant.objects.filter(is_active=True).exclude(pk=PLATFORM_TENANT_ID).order_by("name")
        self.fields["tenant"].queryset = known  # type: ignore[attr-defined]
