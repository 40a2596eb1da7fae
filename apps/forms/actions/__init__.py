"""Everything that writes forms, access, submissions and files."""

from .access import grant_access, revoke_access, set_filling
from .files import attach, download, remove_attachment
from .forms import create_form, publish, update_form
from .ownership import take_ownership, unowned
from .submissions import save_draft, start_draft, submit, withdraw

__all__ = [
    "attach",
    "create_form",
    "download",
    "grant_access",
    "publish",
    "remove_attachment",
    "revoke_access",
    "save_draft",
    "set_filling",
    "start_draft",
    "submit",
    "take_ownership",
    "unowned",
    "update_form",
    "withdraw",
]
