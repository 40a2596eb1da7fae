"""The demo's people and teams, and who is away."""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts.rules import Role


@dataclass(frozen=True)
class Away:
    """A member names a stand-in, so many days ago and for so many days."""

    who: str
    stand_in: str
    days_ago: float
    days: int
    note: str


# key -> (name, tenant role); the key is the address before @acme.example
ACME: dict[str, tuple[str, Role]] = {
    "owner": ("Olivia Warren", Role.OWNER),
    "editor": ("Emil Novak", Role.MEMBER),
    "reviewer": ("Rosa Delgado", Role.MEMBER),
    "viewer": ("Victor Lam", Role.VIEWER),
    "whitfield": ("Dana Whitfield", Role.MEMBER),
    "okafor": ("Chidi Okafor", Role.MEMBER),
    "lindqvist": ("Maja Lindqvist", Role.MEMBER),
    "ferrante": ("Paolo Ferrante", Role.MEMBER),
    "nakamura": ("Yuki Nakamura", Role.MEMBER),
    "haddad": ("Samira Haddad", Role.MEMBER),
    "brandt": ("Thomas Brandt", Role.MEMBER),
    "osei": ("Abena Osei", Role.MEMBER),
    "kowalski": ("Jan Kowalski", Role.MEMBER),
    "meyer": ("Ingrid Meyer", Role.MEMBER),
}

# short name -> (name, members)
TEAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "approving-officials": ("Approving officials", ("reviewer", "whitfield", "okafor")),
    "contracting": ("Contracting officers", ("reviewer", "lindqvist")),
    "competition": ("Competition advocates", ("ferrante",)),
    "legal": ("Legal", ("nakamura", "haddad")),
    "budget": ("Budget", ("brandt",)),
    "heads": ("Heads of contracting activity", ("owner", "osei")),
    "supervisors": ("Supervisors", ("reviewer", "whitfield", "owner")),
    "personnel": ("Personnel office", ("kowalski",)),
}

AWAY = (
    Away("brandt", "ferrante", 27, 3, "I am at the auditors in Chicago."),
    Away("whitfield", "editor", 1, 9, "Spare parts can wait for me, the rest is yours."),
)
