"""The tables without a tenant, each with its reason and with what the app may do there. A test holds it against the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

ALL = "SELECT, INSERT, UPDATE, DELETE"
OF_A_PERSON = ("people", "own_add", "own_change", "own_delete", "read_across")
BEFORE_A_TENANT = ("asked", "add", "change", "forget", "read_across")


@dataclass(frozen=True)
class GlobalTable:
    """One table outside the wall; `policies` names the row-level policies it has all the same, beside the owner's."""

    name: str
    reason: str
    app: str = "SELECT"
    platform: str = "SELECT"
    policies: tuple[str, ...] = ()


GLOBAL_TABLES: dict[str, GlobalTable] = {
    table.name: table
    for table in (
        GlobalTable(
            "tenants_tenant",
            "The list of tenants itself; a policy shows each only to its members.",
            app="SELECT, INSERT, UPDATE",
            platform="SELECT, INSERT, UPDATE",
            policies=("tenant", "read_across", "platform_write", "own_tenants", "by_address", "by_provider"),
        ),
        GlobalTable(
            "tenants_contextkey",
            "The keys of the signed context; only the owner reads them, through functions that verify.",
            app="",
            platform="",
        ),
        GlobalTable(
            "accounts_user",
            "A person belongs to no tenant and is found by e-mail before one is known; "
            "with a tenant bound, a policy shows its own people only, and lets nobody be changed but the one who acts.",
            app="SELECT, INSERT, UPDATE",
            policies=OF_A_PERSON,
        ),
        GlobalTable(
            "accounts_tokenfamily",
            "A refresh token is looked up by its id before a tenant is known; only hashes are kept; "
            "with a tenant bound, a policy shows the families of that tenant only.",
            app="SELECT, INSERT, UPDATE",
            policies=("families", "read_across"),
        ),
        GlobalTable(
            "accounts_kept",
            "Tries, used codes and open links are looked up before anybody is known; hashes, numbers and sealed values. "
            "With a tenant bound, policies show and change none.",
            app=ALL,
            policies=BEFORE_A_TENANT,
        ),
        GlobalTable(
            "accounts_signingkey",
            "Keys of access tokens are the installation's; private parts are sealed by its secret. "
            "With a tenant bound, policies let none be added or changed.",
            app="SELECT, INSERT, UPDATE",
            policies=BEFORE_A_TENANT,
        ),
        GlobalTable(
            "flags_flag",
            "Switches are the same for all tenants; what one has differently stands behind the wall. "
            "With a tenant bound, policies let none be added or changed.",
            app="SELECT, INSERT, UPDATE",
            policies=BEFORE_A_TENANT,
        ),
        GlobalTable("billing_plan", "Plans are the same for all tenants, and no tenant's data."),
        GlobalTable(
            "accounts_revocation",
            "What was taken back is asked before a tenant is known; ids and moments only. "
            "With a tenant bound, policies let nothing be added or forgotten.",
            app="SELECT, INSERT, DELETE",
            policies=BEFORE_A_TENANT,
        ),
        GlobalTable(
            "account_emailaddress",
            "allauth's addresses of a person; the same policy as accounts_user.",
            app=ALL,
            policies=OF_A_PERSON,
        ),
        GlobalTable(
            "mfa_authenticator",
            "allauth's second factors of a person, secrets encrypted; the same policy as accounts_user.",
            app=ALL,
            policies=OF_A_PERSON,
        ),
        GlobalTable(
            "comms_inboundevent",
            "A webhook comes in before a tenant is known; its content is sealed and erased when it is dealt with, and "
            "with a tenant bound a policy shows none.",
            app="SELECT, INSERT, UPDATE",
            policies=("inbox", "read_across"),
        ),
        GlobalTable(
            "accounts_recoverycode",
            "A person's recovery codes, salted hashes only; the same policy as accounts_user.",
            app=ALL,
            policies=OF_A_PERSON,
        ),
        GlobalTable("account_emailconfirmation", "allauth's pending confirmations; keys only.", app=ALL),
        GlobalTable(
            "trust_policyreport",
            "Browsers report about our pages before anybody is known; routes and origins only.",
            app="SELECT, INSERT, UPDATE",
        ),
        GlobalTable(
            "trust_candidatepolicy",
            "The policy of pages is the same for all tenants. With a tenant bound, policies let none be added or changed.",
            app="SELECT, INSERT, UPDATE",
            policies=BEFORE_A_TENANT,
        ),
        GlobalTable(
            "operations_alarm",
            "Security events concern the whole installation and often no tenant; ids only, and the app may only add.",
            app="INSERT",
            platform="SELECT, UPDATE, DELETE",
        ),
        GlobalTable(
            "accounts_browsersession",
            "Sessions are opened before a tenant is known; with a tenant bound, those of its own people only.",
            app=ALL,
            policies=("people", "read_across"),
        ),
        GlobalTable("django_migrations", "The record of migrations."),
        GlobalTable("django_content_type", "Names of models."),
        GlobalTable("django_admin_log", "Django's admin asks for it; nothing writes it."),
        GlobalTable("auth_permission", "Django's own permissions; unused, no row names a person."),
        GlobalTable("auth_group", "Django's own groups; unused."),
        GlobalTable("auth_group_permissions", "Django's own groups; unused."),
        GlobalTable(
            "procrastinate_jobs", "The queue: ids, a tenant id, and sealed what was asked for at sign-in.", app=ALL
        ),
        GlobalTable("procrastinate_events", "What became of each job; ids only.", app=ALL),
        GlobalTable("procrastinate_periodic_defers", "When periodic jobs last ran.", app=ALL),
        GlobalTable("procrastinate_workers", "Workers that are alive.", app=ALL),
    )
}

# SECURITY DEFINER functions run as their owner: every one must be known and read.
DEFINER_FUNCTIONS: dict[str, str] = {
    "orkestra_tenant": "Verifies the signed context and returns its tenant.",
    "orkestra_user": "Verifies the signed context and returns its person.",
    "orkestra_before_tenant": "Verifies the signed context and tells whether it says that no tenant is known yet.",
    "orkestra_context_kid": "Returns the id of the newest context key, never a key.",
    "orkestra_count": "Moves a tenant's counter; called by the meters' triggers only.",
    "orkestra_meter_accounts_member": "Counts active members.",
    "orkestra_meter_accounts_invitation": "Counts open invitations, which keep a seat.",
    "orkestra_meter_forms_form": "Counts forms.",
    "orkestra_meter_forms_submission": "Counts submissions by the month in which they are sent.",
    "orkestra_meter_forms_attachment": "Counts the bytes of files.",
    "orkestra_public_form": "Finds a published form that is open to anyone by its address, before a tenant is known.",
    "orkestra_receipt": "Finds what a stranger sent by the hash of their private link, before a tenant is known.",
    "orkestra_api_key": "Finds a living API key by its hash, before a tenant is known.",
    "orkestra_sso": "Finds a tenant's identity provider by its id, the tenant's address or a proven mail domain.",
    "orkestra_erase_private": "Deletes the private values of one person in the bound tenant, and nothing else.",
    "orkestra_prune_log": "Takes the bodies of old entries that a recorded act covers in the bound tenant, and nothing else.",
    "orkestra_invitation": "Finds an open invitation by the hash of its link, before a tenant is known.",
}
