"""Which door a path is behind. One table: what is not in it needs a tenant claim, and an unknown path gets no further."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Door(Enum):
    """What a request must bring to enter."""

    PUBLIC = "anyone"
    VISITOR_API = "anyone; a bearer token, where one is sent, must hold and names the tenant"
    PERSON_PAGE = "a signed-in person, in the browser"
    PERSON_API = "a bearer token, with or without a tenant"
    PLATFORM_PAGE = "a signed-in Super Admin"
    PLATFORM_API = "a Super Admin's platform token"
    TENANT_PAGE = "a session, and an active membership in the tenant of the address"
    TENANT_API = "a bearer token for a tenant with an active membership"


@dataclass(frozen=True)
class Rule:
    pattern: re.Pattern[str]
    door: Door
    methods: frozenset[str] = frozenset()
    most_bytes: int | None = None
    fresh: str = ""  # the dangerous act that every page behind it belongs to


API_DOORS = frozenset({Door.PERSON_API, Door.PLATFORM_API, Door.TENANT_API})
# What a door takes where its rule names no method; anything else is refused before a view is looked for.
PAGE = frozenset({"GET", "HEAD", "POST"})
API = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE"})


def _rule(pattern: str, door: Door, *methods: str, most_bytes: int | None = None, fresh: str = "") -> Rule:
    return Rule(
        re.compile(pattern), door, frozenset(methods) or (API if door in API_DOORS else PAGE), most_bytes, fresh
    )


PUBLIC_FORM_MAX_BYTES = 25 * 1024 * 1024
PREVIEW_MAX_BYTES = 256 * 1024


TENANT_PATH = re.compile(r"/t/(?P<slug>[a-z0-9-]+)(?:/|\Z)")

# The first rule that matches decides.
RULES: tuple[Rule, ...] = (
    _rule(r"/\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/security\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/\.well-known/(security\.txt|jwks\.json)\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/csp/[a-z0-9]{16}/(enforce|report)/[0-9]{8}/[a-f0-9]{32}\Z", Door.PUBLIC, "POST"),
    _rule(r"/healthz/(live|ready)\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/webhooks/(stripe|comms/[a-z0-9-]{1,40})\Z", Door.PUBLIC, "POST"),
    _rule(r"/static/", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/favicon\.ico\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/account/(login|password/reset)(/|\Z)", Door.PUBLIC),
    _rule(r"/account/invitation/[A-Za-z0-9_-]{20,64}/\Z", Door.PUBLIC, "GET", "HEAD", "POST"),
    _rule(r"/account/signup/((sent|[A-Za-z0-9_-]{20,128})/)?\Z", Door.PUBLIC, "GET", "HEAD", "POST"),
    _rule(r"/account/sso/([a-z0-9-]+/(callback/)?)?\Z", Door.PUBLIC, "GET", "HEAD", "POST"),
    _rule(r"/account/2fa/authenticate/\Z", Door.PUBLIC, "GET", "HEAD", "POST"),
    _rule(r"/account/support/leave/\Z", Door.PERSON_PAGE, "POST"),
    _rule(r"/account/(logout|start|again|sessions|password/change|reauthenticate)/\Z", Door.PERSON_PAGE),
    _rule(r"/account/organisation/\Z", Door.PERSON_PAGE, "GET", "HEAD", "POST"),
    _rule(r"/account/email/([A-Za-z0-9_-]{20,128}/)?\Z", Door.PERSON_PAGE),
    _rule(
        r"/account/2fa/(totp/(de)?activate|recovery-codes(/generate)?|webauthn/add|webauthn/keys/[0-9a-f-]+/remove)/\Z",
        Door.PERSON_PAGE,
        fresh="factor.change",
    ),
    _rule(
        r"/account/2fa/((reauthenticate|webauthn|webauthn/reauthenticate)/)?\Z",
        Door.PERSON_PAGE,
    ),
    # Forms that a tenant opened to anyone: the address names tenant and form, and nobody's identity is looked at.
    _rule(r"/f/[a-z0-9-]+/[a-z0-9_-]+/\Z", Door.PUBLIC, "GET", "HEAD", "POST", most_bytes=PUBLIC_FORM_MAX_BYTES),
    _rule(r"/f/[a-z0-9-]+/[a-z0-9_-]+/preview/\Z", Door.PUBLIC, "POST", most_bytes=PREVIEW_MAX_BYTES),
    _rule(r"/receipt/[A-Za-z0-9_-]{20,64}/(signed/)?\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/admin/login/\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/admin(/|\Z)", Door.PLATFORM_PAGE),
    _rule(r"/api/v1/schema\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/api/v1/auth/(token|refresh|revoke)\Z", Door.PUBLIC, "POST"),
    _rule(r"/api/v1/trust/controls\Z", Door.VISITOR_API, "GET", "HEAD"),
    _rule(r"/api/v1/trust/claims\Z", Door.PUBLIC, "GET", "HEAD"),
    _rule(r"/api/v1/auth/switch\Z", Door.PERSON_API, "POST"),
    _rule(r"/api/v1/me\Z", Door.PERSON_API, "GET", "HEAD"),
    _rule(r"/api/v1/platform/", Door.PLATFORM_API),
    _rule(r"/api/", Door.TENANT_API),
    _rule(r"/ofrep/v1/evaluate/flags(/[^/]+)?\Z", Door.TENANT_API, "POST"),
    _rule(r"/t/", Door.TENANT_PAGE),
)


def rule_of(path: str) -> Rule | None:
    """The rule of a path, or None for one that no rule names: nobody enters there."""
    return next((rule for rule in RULES if rule.pattern.match(path)), None)


PLATFORM_DOORS = frozenset({Door.PLATFORM_PAGE, Door.PLATFORM_API})
# Doors that a surface does not have. Pages of tenants stay on the platform's, for support visits and nothing else.
CLOSED: dict[str, frozenset[Door]] = {
    "all": frozenset(),
    "tenant": PLATFORM_DOORS,
    "platform": frozenset({Door.TENANT_API}),
}


def is_api(path: str) -> bool:
    """Whether answers there are JSON and the session counts for nothing."""
    return path.startswith(("/api/", "/ofrep/", "/webhooks/"))
