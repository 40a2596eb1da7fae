"""What a higher room gives to a lower one: one typed registry, filled in AppConfig.ready(). There is no other way up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from django.http import HttpRequest

from .logged import Attested, Logged, Settled
from .refusals import Text


class Keyed(Protocol):
    @property
    def key(self) -> str: ...


T = TypeVar("T", bound=Keyed)


@dataclass(frozen=True)
class SettingsPage:
    """A page below /settings/; shown to those who hold the permission."""

    key: str
    title: Text
    permission: str
    url_name: str
    order: int = 100
    icon: str = "settings-2"


@dataclass(frozen=True)
class NavigationItem:
    """An entry of the sidebar, with an optional count of what waits there."""

    key: str
    title: Text
    url_name: str
    icon: str
    order: int = 100
    permission: str = ""
    count: Callable[[], int] | None = None


@dataclass(frozen=True)
class HomePanel:
    """A panel of a tenant's home page, for whoever holds the permission; empty: everybody."""

    key: str
    template: str
    context: Callable[[HttpRequest], Mapping[str, Any]]
    order: int = 100
    permission: str = ""


@dataclass(frozen=True)
class TaskPanel:
    """A panel beside the decision on a task's page; `context` gets the request, the assignment and the submission."""

    key: str
    template: str
    context: Callable[[HttpRequest, Any, Any], Mapping[str, Any]]
    order: int = 100


@dataclass(frozen=True)
class UsageReading:
    """What of a limit is used now: `used` and `limit` in the unit, `text` the same for a person."""

    used: int
    limit: int
    percent: int
    text: Text
    resets_at: datetime | None = None
    note: Text = ""


@dataclass(frozen=True)
class UsageMeter:
    """A limit that a higher room counts, shown with the quotas; `read` answers None where there is nothing to show."""

    key: str
    title: Text
    unit: str
    read: Callable[[], UsageReading | None]
    url_name: str = ""
    order: int = 100


@dataclass(frozen=True)
class Finding:
    """What a probe saw: True holds, False does not, None could not be told."""

    holds: bool | None
    detail: Text


@dataclass(frozen=True)
class Probe:
    """A function that checks a claim on the running system.

    One `of_tenants` looks at rows of tenants: of the one in force, or of all where the platform's role asks.
    """

    key: str
    run: Callable[[], Finding]
    of_tenants: bool = False


@dataclass(frozen=True)
class Gate:
    """Asked about every request after its context is known; raises a Problem to stop it."""

    key: str
    run: Callable[[HttpRequest, Any], None]


@dataclass(frozen=True)
class Banner:
    """A sentence above every page of a tenant; empty says nothing. `action` is a button's (address, word) beside it."""

    key: str
    text: Callable[[HttpRequest], str]
    action: tuple[str, Text] | None = None


@dataclass(frozen=True)
class PlatformPage:
    """A page of the Super Admins' site that stands for no table, at /admin/<key>/; `view` takes the site's context too."""

    key: str
    title: Text
    view: Callable[[HttpRequest, dict[str, Any]], Any]
    order: int = 100


@dataclass(frozen=True)
class SealedFields:
    """Fields of a room that are stored encrypted: `names` tells which keys they need, `reseal` takes the newest."""

    key: str
    names: Callable[[], set[str]]
    reseal: Callable[[], int]


@dataclass(frozen=True)
class Heartbeat:
    """What the worker does again and again beside its jobs, about every second."""

    key: str
    run: Callable[[], None]


@dataclass(frozen=True)
class Dependency:
    """A server that Orkestra can live without for a while; `check` answers ok, off or down within about a second."""

    key: str
    check: Callable[[], str]


@dataclass(frozen=True)
class SecurityEvent:
    """Something that an operator must hear of: its kind, and ids and numbers about it."""

    kind: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Watcher:
    """Hears every security event; it may be inside a transaction that is about to be undone."""

    key: str
    run: Callable[[SecurityEvent], None]


@dataclass(frozen=True)
class Tally:
    """How many rows of one table count for a limited resource: period (empty where there is none) -> amount."""

    key: str
    resource: str
    count: Callable[[], dict[str, int]]


@dataclass(frozen=True)
class Stored:
    """One kind of thing that is kept of a tenant, and for how long: its tables, of whose first the rows are counted."""

    key: str
    title: Text
    tables: tuple[str, ...]
    stays: Text | Callable[[], Text]
    count: Callable[[], int] | None = None
    size: Callable[[], int] | None = None


@dataclass(frozen=True)
class Inbound:
    """A webhook that came in and was verified: its sender's id for it, its type, and what it says."""

    event_id: str
    type: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class InboundHandler:
    """Deals with the events of one source, in a transaction of the caller, with no tenant bound.

    It answers what came of it, and None where it does nothing with such an event; what it raises lets it be tried again.
    """

    key: str
    run: Callable[[Inbound], str | None]


@dataclass(frozen=True)
class Recipient:
    """Somebody to whom a mail can go."""

    user_id: UUID
    email: str
    name: str


class Anchored(Protocol):
    """The newest head of the instance log that somebody keeps outside the database."""

    @property
    def incarnation(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def root(self) -> bytes: ...
    @property
    def where(self) -> str: ...


class AnchorPlace(Protocol):
    """A place of the configuration that keeps such heads, and the newest that it held when it last answered."""

    @property
    def kind(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def held(self) -> Anchored | None: ...
    @property
    def answers(self) -> bool: ...


@dataclass(frozen=True)
class Tie:
    """Something that depends on a member. What `needs_heir` another takes when they leave; what `blocks` comes first."""

    key: str
    title: Text
    needs_heir: bool = False
    blocks: bool = False


def _no_ties(team: Any, member: Any) -> list[Tie]:
    return []


def _nothing_ends(member: Any, by: Any) -> None:
    """For a room with nothing that ends with a member."""


@dataclass(frozen=True)
class Leaving:
    """What a room knows of a member who leaves: their ties there, and how one goes over to an heir.

    `team_ties(team, member)` tells what would hang in the air once the member is out of the team; what an heir can take
    is among `ties` too, and says so here.
    `settle(tie, member, heir, by)` runs in the transaction of the act, and raises Refused naming who cannot take it;
    `end(member, by)` follows, for what ends with them and goes over to nobody.
    """

    key: str
    ties: Callable[[Any], list[Tie]]
    settle: Callable[[Tie, Any, Any, Any], None]
    order: int = 100
    team_ties: Callable[[Any, Any], list[Tie]] = _no_ties
    end: Callable[[Any, Any], None] = _nothing_ends


class Slot(Generic[T]):
    """An ordered set of entries by key; a key taken twice is a bug and raises."""

    def __init__(self) -> None:
        self._entries: dict[str, T] = {}

    def add(self, entry: T) -> None:
        if entry.key in self._entries:
            raise ValueError(f"The slot has an entry named {entry.key!r} already.")
        self._entries[entry.key] = entry

    def fill(self, entries: Sequence[T]) -> None:
        """Add several."""
        for entry in entries:
            self.add(entry)

    def get(self, key: str) -> T | None:
        return self._entries.get(key)

    def __iter__(self) -> Iterator[T]:
        return iter(sorted(self._entries.values(), key=lambda entry: (getattr(entry, "order", 0), entry.key)))


def _no_names(ids: set[UUID]) -> dict[UUID, str]:
    return {}


def _no_people() -> list[tuple[UUID, str]]:
    return []


def _no_anchors() -> Sequence[Anchored]:
    return ()


def _no_memberships(request: HttpRequest) -> list[Any]:
    return []


def _not_here(request: HttpRequest) -> bool:
    return False


def _nobody() -> list[Recipient]:
    return []


def _owns_nothing(principal: object) -> bool:
    return False


def _yes(about: UUID) -> bool:
    return True


@dataclass
class Slots:
    """All slots. `actor_names` turns member ids into the names that pages show, `actors` lists them for a choice;
    `owners` are those of the tenant in force; `team_owns` and `role_owns` say whether a team or a role owns anything.

    `fault_of_audit_key` is why the key of the logs does not fit the logs that are here; empty where it does.

    `told_heads` are the newest signed heads of the tenant in force that went out by mail or webhook: (kind, size, when).
    """

    settings_pages: Slot[SettingsPage] = field(default_factory=Slot)
    navigation: Slot[NavigationItem] = field(default_factory=Slot)
    home_panels: Slot[HomePanel] = field(default_factory=Slot)
    security_panels: Slot[HomePanel] = field(default_factory=Slot)
    task_panels: Slot[TaskPanel] = field(default_factory=Slot)
    usage_meters: Slot[UsageMeter] = field(default_factory=Slot)
    probes: Slot[Probe] = field(default_factory=Slot)
    sealed: Slot[SealedFields] = field(default_factory=Slot)
    heartbeats: Slot[Heartbeat] = field(default_factory=Slot)
    gates: Slot[Gate] = field(default_factory=Slot)
    banners: Slot[Banner] = field(default_factory=Slot)
    watchers: Slot[Watcher] = field(default_factory=Slot)
    leaving: Slot[Leaving] = field(default_factory=Slot)
    logged: Slot[Logged] = field(default_factory=Slot)
    settled: Slot[Settled] = field(default_factory=Slot)
    attested: Slot[Attested] = field(default_factory=Slot)
    platform_pages: Slot[PlatformPage] = field(default_factory=Slot)
    dependencies: Slot[Dependency] = field(default_factory=Slot)
    inbound: Slot[InboundHandler] = field(default_factory=Slot)
    tallies: Slot[Tally] = field(default_factory=Slot)
    stored: Slot[Stored] = field(default_factory=Slot)
    explain_limit: Callable[[dict[str, Any]], dict[str, Any]] = dict
    actor_names: Callable[[set[UUID]], dict[UUID, str]] = _no_names
    actors: Callable[[], list[tuple[UUID, str]]] = _no_people
    memberships: Callable[[HttpRequest], list[Any]] = _no_memberships
    may_begin_another: Callable[[HttpRequest], bool] = _not_here
    is_limited: Callable[[HttpRequest], bool] = _not_here
    owners: Callable[[], list[Recipient]] = _nobody
    anchored: Callable[[], Sequence[Anchored]] = _no_anchors
    fault_of_audit_key: Callable[[], str] = str
    anchor_places: Callable[[], Sequence[AnchorPlace]] = tuple
    told_heads: Callable[[], Sequence[tuple[str, int, datetime]]] = tuple
    has_second_factor: Callable[[UUID], bool] = _yes
    team_owns: Callable[[UUID], bool] = _owns_nothing
    role_owns: Callable[[str], bool] = _owns_nothing
    fits_its_hash: Callable[[UUID], bool] = _yes


slots = Slots()
