"""Everything that writes people, memberships, teams and tokens."""

from .addresses import ask_for_address, change_address, look_at_address, mail_address_link
from .api_keys import (
    check_no_key,
    create_api_key,
    end_api_keys,
    end_every_api_key,
    find_api_key,
    note_use,
    revoke_api_key,
)
from .factors import factor_gone
from .families import Pair, end_families, end_family, open_family, revoke, rotate
from .invitations import Invited, accept, invite, look_at, resend_invitation, withdraw_invitation
from .leaving import deactivate
from .members import change_role, leave_team, reactivate, rename_team
from .notices import tell_factor_added, tell_key_made, tell_linked
from .people import (
    add_member,
    change_tenant,
    create_person,
    create_team,
    create_tenant,
    join_team,
    make_super_admin,
    require_factor,
    unmake_super_admin,
)
from .privacy import accounts_known, erase_left, erase_outside_tenants, erase_private_values, tenants_with
from .resets import ask_for_reset, lock_for_reset, mail_reset_link
from .service_accounts import change_service_account, create_service_account
from .sessions import (
    end_sessions,
    factor_changed,
    factor_refused,
    password_changed,
    sign_in_refused,
    signed_in,
    signed_out,
    tell_of_wrong_password,
)
from .sign_ups import TRIAL, ask_for_sign_up, begin_organisation, look_at_sign_up, mail_sign_up, sign_up
from .signing import rotate_signing_key
from .suspension import resume_tenant, suspend_tenant

__all__ = [
    "TRIAL",
    "Invited",
    "Pair",
    "accept",
    "accounts_known",
    "add_member",
    "ask_for_address",
    "ask_for_reset",
    "ask_for_sign_up",
    "begin_organisation",
    "change_address",
    "change_role",
    "change_service_account",
    "change_tenant",
    "check_no_key",
    "create_api_key",
    "create_person",
    "create_service_account",
    "create_team",
    "create_tenant",
    "deactivate",
    "end_api_keys",
    "end_every_api_key",
    "end_families",
    "end_family",
    "end_sessions",
    "erase_left",
    "erase_outside_tenants",
    "erase_private_values",
    "factor_changed",
    "factor_gone",
    "factor_refused",
    "find_api_key",
    "invite",
    "join_team",
    "leave_team",
    "lock_for_reset",
    "look_at",
    "look_at_address",
    "look_at_sign_up",
    "mail_address_link",
    "mail_reset_link",
    "mail_sign_up",
    "make_super_admin",
    "note_use",
    "open_family",
    "password_changed",
    "reactivate",
    "rename_team",
    "require_factor",
    "resend_invitation",
    "resume_tenant",
    "revoke",
    "revoke_api_key",
    "rotate",
    "rotate_signing_key",
    "sign_in_refused",
    "sign_up",
    "signed_in",
    "signed_out",
    "suspend_tenant",
    "tell_factor_added",
    "tell_key_made",
    "tell_linked",
    "tell_of_wrong_password",
    "tenants_with",
    "unmake_super_admin",
    "withdraw_invitation",
]
