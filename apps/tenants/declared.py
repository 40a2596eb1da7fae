"""The wall as PostgreSQL must print it: every policy to its last word, and the body of every function by its hash.

Who changes one in a migration changes it here: the check after each migration names what it found instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from .globals import GLOBAL_TABLES
from .models import TenantModel
from .policies import TENANT_POLICIES
from .roles import APP, OWNER, PLATFORM, SEALER

EVERYTHING, READING = "ALL", "SELECT"


@dataclass(frozen=True)
class Policy:
    """One policy: the command and the roles that it is for, and what it says of rows that are read and written."""

    command: str
    roles: frozenset[str]
    reads: str
    writes: str = ""


def bound(column: str, function: str) -> str:
    """As PostgreSQL prints a comparison with what is bound."""
    return f"({column} = ( SELECT {function}() AS {function}))"


def both(rule: str, *roles: str) -> Policy:
    """One rule for what is read and what is written."""
    return Policy(EVERYTHING, frozenset(roles), rule, rule)


def looked_up(rule: str = "true") -> Policy:
    """For functions of the owner alone, which find one row before a tenant is known."""
    return Policy(READING, frozenset({OWNER}), rule)


def wall(column: str, *roles: str) -> dict[str, Policy]:
    """The four of every table with a tenant."""
    return {
        "tenant": both(bound(column, "orkestra_tenant"), *roles),
        "owner": both(bound(column, "orkestra_owner_tenant"), OWNER),
        "read_across": Policy(READING, frozenset({PLATFORM, SEALER}), "true"),
        "platform_write": both(bound(column, "orkestra_tenant"), PLATFORM),
    }


def guard(name: str, rule: str) -> dict[str, Policy]:
    """The three of a table without a tenant that shows not all to everybody."""
    return {
        name: both(rule, APP),
        "owner": Policy(EVERYTHING, frozenset({OWNER}), "true"),
        "read_across": Policy(READING, frozenset({PLATFORM}), "true"),
    }


def people(column: str) -> dict[str, Policy]:
    """With a tenant bound, its own people."""
    return guard("people", f"({UNBOUND} OR ({column} IN ( SELECT accounts_member.user_id FROM accounts_member)))")


def own(column: str) -> dict[str, Policy]:
    """With a tenant bound its people are seen, and a person's row is changed by nobody but them."""
    rule, app = f"({UNBOUND} OR {bound(column, 'orkestra_user')})", frozenset({APP})
    return people(column) | {
        "people": Policy(READING, app, people(column)["people"].reads),
        "own_add": Policy("INSERT", app, "", rule),
        "own_change": Policy("UPDATE", app, rule, rule),
        "own_delete": Policy("DELETE", app, rule),
    }


def before_tenant(reads: str) -> dict[str, Policy]:
    """A table of the installation, written before a tenant is known and by no statement inside one."""
    app = frozenset({APP})
    return guard("asked", "true") | {
        "asked": Policy(READING, app, reads),
        "add": Policy("INSERT", app, "", UNBOUND),
        "change": Policy("UPDATE", app, UNBOUND, UNBOUND),
        "forget": Policy("DELETE", app, UNBOUND),
    }


UNBOUND = "( SELECT orkestra_before_tenant() AS orkestra_before_tenant)"
MEMBERSHIPS = (
    "( SELECT accounts_member.tenant_id FROM accounts_member"
    f" WHERE {bound('accounts_member.user_id', 'orkestra_user')})"
)
OF_A_TENANT = wall("tenant_id", APP, SEALER)
# What a model of a tenant has beside the four (`extra_policies`), by table and name.
EXTRA: dict[tuple[str, str], Policy] = {
    ("accounts_member", "own_memberships"): Policy(
        READING, frozenset({APP}), f"({UNBOUND} AND {bound('user_id', 'orkestra_user')})"
    ),
    ("accounts_invitation", "by_hash"): looked_up(),
    ("accounts_apikey", "by_hash"): looked_up(),
    ("accounts_ssoconnection", "by_address"): looked_up(),
    ("accounts_ssodomain", "by_address"): looked_up(),
    ("forms_receipt", "by_hash"): looked_up(),
    ("forms_form", "public_form"): looked_up("(((filling)::text = 'public'::text) AND (live_version_id IS NOT NULL))"),
}
OF_GLOBAL_TABLES: dict[str, dict[str, Policy]] = {
    "tenants_tenant": wall("id", APP)
    | {
        "own_tenants": Policy(READING, frozenset({APP}), f"({UNBOUND} AND (id IN {MEMBERSHIPS}))"),
        "by_address": looked_up(),
        "by_provider": looked_up(),
    },
    "accounts_user": own("id"),
    "accounts_kept": before_tenant(UNBOUND),
    **dict.fromkeys(
        ("accounts_signingkey", "accounts_revocation", "flags_flag", "trust_candidatepolicy"), before_tenant("true")
    ),
    "accounts_tokenfamily": guard("families", f"({UNBOUND} OR {bound('tenant_id', 'orkestra_tenant')})"),
    "comms_inboundevent": guard("inbox", UNBOUND),
    "accounts_browsersession": people("user_id"),
    **dict.fromkeys(("account_emailaddress", "mfa_authenticator", "accounts_recoverycode"), own("user_id")),
}


def declared_policies(tables: dict[str, type[TenantModel]]) -> dict[tuple[str, str], Policy | None]:
    """(table, name) -> the policy; None for one that a table names and that is not written down here."""
    found: dict[tuple[str, str], Policy | None] = {}
    for table, model in tables.items():
        found |= {(table, name): OF_A_TENANT[name] for name in TENANT_POLICIES}
        found |= {(table, name): EXTRA.get((table, name)) for name in model.extra_policies}
    for row in GLOBAL_TABLES.values():
        written = OF_GLOBAL_TABLES.get(row.name, {})
        found |= {(row.name, name): written.get(name) for name in {"owner", *row.policies} if row.policies}
    return found


# SHA-256 of the text between the dollar signs. The queue's own functions (`procrastinate_…`) are its library's.
FUNCTIONS: dict[str, str] = {
    "accounts_user_made_admin": "dbf4070b1b9cb9409c060044fcecf1f742ecab86e226c83783a9fc5444584259",
    "flags_flag_frozen": "b442676960186b28cf9a7bf98c7558c83d40d39ddc7550e3bcab81a2996f3e05",
    "flags_tell": "fd34db07a63d3c028cda9d371401a1ea7e5d8e09c6083ac2c1c8392387f35e3d",
    "orkestra_api_key": "14dad8fd06a77a15fd9459f61b08b4d2626f253145b10cf11f97d7aa32c9a541",
    "orkestra_before_tenant": "b508c357816534cb2cfeb022d732cb06deca7a9f10a6344b1ec9c4637e476e8d",
    "orkestra_context_kid": "b71e4bf35c3ec595c163c375285fd95cf0b55bc291b4ca9ff9dfe129a91eec1c",
    "orkestra_count": "322265cabda8709c75607c2f7bf7df77aad9189dfdc70d9ff5fd48fe0358642a",
    "orkestra_entry_waits": "797c73ae3609ec6cd40f642bcde181af83517a13bb257a7073740ba07f11566e",
    "orkestra_erase_private": "51b5d23ebd1e6a786e8555d9b48d7cf7126bad777a54ec2cfc949856a20e411a",
    "orkestra_forms_held": "2c1b318fa684330b85c18bd11d776cddab6175b2746000f1aa9fed1f3ed9cda0",
    "orkestra_invitation": "493ea4300c7959df05c254c167ddbf84a4480f8e92eeece1c7472f43a8475bb3",
    "orkestra_meter_accounts_invitation": "f706eb7ea99326fc58e09b7409ddb84f4793f5c7b3633854dcd4f01695e2d79e",
    "orkestra_meter_accounts_member": "1fe59aae10cbec0a70e2a2cdc4a1ca1323b1014031dcb9cbc38dc7ffef1a3627",
    "orkestra_meter_forms_attachment": "4fcdbde1835f4bef0bcf4116573b433e3abaf882cd69a86f2b5f7859403557c9",
    "orkestra_meter_forms_form": "29fd68d9c239aac55b1b51f31bc44be4db680853723c044f1e9e0dc6fce010a4",
    "orkestra_meter_forms_submission": "a64c230d4210b937543a154712499c4946b2719cbbfe73b504eaa7c59722d9da",
    "orkestra_owner_tenant": "f5a39dc1dd8d9a48deae5552fc91ecfa0d97145ff4f722f2177dc1f5d4e29423",
    "orkestra_prune_log": "612353ae994f137fa50b19f6362c0ceb6df0929de4325a8d871e8241f5f81f7e",
    "orkestra_public_form": "eb07f9631486fbbe44d76e0bd1594590306ad3592e0913f185dfc3dd5bdea311",
    "orkestra_receipt": "ffe33918515873b66f1ff25af396140714c818a06b6c464f244e6f5d2b6ee49f",
    "orkestra_roles_on": "d0fe4c09c8219b0221c9669bba0e7ad2451e00606c359fcef9e1b9a4ff983706",
    "orkestra_sso": "efad2cc29962b44bbe3842919e72c2fcc80648080db09576f1278db09d11aff1",
    "orkestra_tenant": "03e8853984a4a1e798f69fc8b99029dabec5e3a966fa57dc5d74ed3a5efd412b",
    "orkestra_user": "a5083e95e362bc73c955de6f2ce56af79c6df70694ccb308d31d4031ff9f1857",
}
