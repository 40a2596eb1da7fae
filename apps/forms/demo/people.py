"""The demo's people and teams."""

from __future__ import annotations

from apps.accounts.rules import Role

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
