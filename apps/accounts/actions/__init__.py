"""Everything that writes people, memberships, teams and tokens."""

from .families import Pair, open_family, revoke, rotate
from .people import add_member, create_person, create_team, create_tenant, join_team
from .sessions import password_changed, reset_asked, sign_in_refused, signed_in, signed_out

__all__ = [
    "Pair",
    "add_member",
    "create_person",
    "create_team",
    "create_tenant",
    "join_team",
    "open_family",
    "password_changed",
    "reset_asked",
    "revoke",
    "rotate",
    "sign_in_refused",
    "signed_in",
    "signed_out",
]
