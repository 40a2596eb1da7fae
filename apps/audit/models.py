"""Entries, their seals, and the tree over them. The app may add and read entries; only the sealer may seal them.

Nobody may change any of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.models import Access, TenantForeignKey, TenantManager, TenantModel, TenantQuerySet, tenant_key

from . import canonical, catalogue

# Python knows the years 1 to 9999, PostgreSQL more, and infinity: what somebody sets to those is read as one of these.
EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

LONGEST_QUERY = (
    2500  # signs of an address that name all filters, each at its longest (1,880), and room for more of them
)


class Moment(models.DateTimeField):
    """A time that can always be read, so that a page shows the row and a verification names it."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """Within what Python knows."""
        return f"greatest(least({sql}, '{LATEST}'), '{EARLIEST}')", params


class EntryQuerySet(TenantQuerySet["Entry"]):
    def kept(self) -> Self:
        """Entries whose body retention has not taken."""
        return self.exclude(action="")

    def since(self, moment: datetime) -> Self:
        """Entries at or after a moment."""
        return self.filter(time__gte=moment)

    def before(self, moment: datetime) -> Self:
        """Entries before a moment."""
        return self.filter(time__lt=moment)

    def about(self, target: models.Model) -> Self:
        """Entries whose first target is this object."""
        return self.filter(target_id=target.pk)


EntryManager = TenantManager.from_queryset(EntryQuerySet)


class Entry(TenantModel):
    """One act: the canonical bytes, and beside them the columns that filters need, rebuildable from the bytes."""

    access: ClassVar[Access] = Access.APPEND
    sealer_access: ClassVar[str] = "SELECT"

    time = Moment(_("when"))
    action = models.CharField(_("what"), max_length=64)
    actor_type = models.CharField(max_length=16)
    actor_id = models.UUIDField(_("who"), null=True)
    target_type = models.CharField(max_length=32, blank=True)
    target_id = models.UUIDField(null=True)
    target_label = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=16)
    request_id = models.CharField(max_length=64, blank=True)
    body = models.BinaryField()

    objects: ClassVar[EntryManager] = EntryManager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["tenant", "-time", "-id"], name="audit_entry_time"),
            models.Index(fields=["tenant", "target_id", "-time", "-id"], name="audit_entry_target"),
            models.Index(fields=["tenant", "actor_id", "-time", "-id"], name="audit_entry_actor"),
            models.Index(fields=["tenant", "actor_type", "-time", "-id"], name="audit_entry_actor_type"),
            models.Index(fields=["tenant", "action", "-time", "-id"], name="audit_entry_action"),
            models.Index(fields=["tenant", "target_type", "-time", "-id"], name="audit_entry_type"),
            models.Index(fields=["tenant", "outcome", "-time", "-id"], name="audit_entry_outcome"),
            models.Index(fields=["tenant", "request_id", "-time", "-id"], name="audit_entry_request"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}".strip()

    @property
    def title(self) -> Any:
        """The act in words."""
        return catalogue.title(self.action)

    @property
    def document(self) -> dict[str, Any]:
        """The entry as it was written. Raises NotCanonical when its bytes were changed into something else."""
        found: dict[str, Any] = canonical.decode(bytes(self.body))
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """What the act was about; empty when the bytes cannot be read any more."""
        try:
            return dict(self.document.get("facts", {}))
        except canonical.NotCanonical:
            return {}

    @property
    def on_behalf_of(self) -> str | None:
        """The id of the member whose place the actor took; None where nobody's, or when the bytes cannot be read any more."""
        try:
            return (self.document.get("on_behalf_of") or {}).get("id")
        except canonical.NotCanonical:
            return None


class Seal(TenantModel):
    """The place of an entry in the tenant's chain.

    No foreign key: only the sealer writes here, of what it has just read, nobody may delete an entry, and whoever can do
    so anyway could drop the key as well; verification finds it. A key would lock and rewrite every entry once more.
    """

    access: ClassVar[Access] = Access.READ
    sealer_access: ClassVar[str] = "SELECT, INSERT"

    tenant = tenant_key(checked=False)
    seq = models.BigIntegerField()
    entry = TenantForeignKey(Entry, models.PROTECT, related_name="seals", db_constraint=False)
    leaf = models.BinaryField(max_length=32)
    chain = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "seq"], name="audit_seal_seq"),
            models.UniqueConstraint(fields=["tenant", "entry"], name="audit_seal_entry"),
            models.CheckConstraint(condition=models.Q(seq__gte=0), name="audit_seal_from_zero"),
        ]


class Word(TenantModel):
    """A word of what an entry is about, or of the way by which it came about, written with its seal, so that a search reads one range of an index in order.

    Equality of text is all that it needs: what PostgreSQL offers for searching text cannot use an index under row-level
    security. It repeats what entries say, proves nothing, and has no foreign key, as a seal has none.
    """

    access: ClassVar[Access] = Access.READ
    sealer_access: ClassVar[str] = "SELECT, INSERT"

    tenant = tenant_key(checked=False)
    word = models.CharField(max_length=40)
    time = Moment()
    entry = TenantForeignKey(Entry, models.PROTECT, related_name="words", db_constraint=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "word", "time", "entry"], name="audit_word_place")]


class Waiting(TenantModel):
    """An entry that is committed and not yet sealed, by the entry's own id; a trigger writes it with the entry.

    So "not yet sealed" is asked of a short list and never of the whole log, and no cursor can miss a late commit.
    """

    access: ClassVar[Access] = Access.APPEND
    sealer_access: ClassVar[str] = "SELECT, DELETE"

    tenant = tenant_key(checked=False)


class Log(models.IntegerChoices):
    """Which tree a node belongs to: a tenant's entries, or the checkpoints of all tenants."""

    ENTRIES = 0
    INSTANCE = 1


class TreeNode(TenantModel):
    """The root of a full subtree of 256 leaves or of 256 such roots; with them any proof takes a few short reads."""

    access: ClassVar[Access] = Access.READ
    sealer_access: ClassVar[str] = "SELECT, INSERT"

    log = models.SmallIntegerField(choices=Log.choices)
    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "log", "level", "index"], name="audit_node_place"),
        ]


class Checkpoint(TenantModel):
    """The signed head of a log as it went out: a C2SP note, its exact text. `place` is its leaf in the instance log."""

    access: ClassVar[Access] = Access.READ
    sealer_access: ClassVar[str] = "SELECT, INSERT"

    log = models.SmallIntegerField(choices=Log.choices, default=Log.ENTRIES)
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    origin = models.CharField(max_length=300)
    note = models.TextField()
    place = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "log", "-size", "-made_at"], name="audit_checkpoint_newest")]


class InstanceLeaf(TenantModel):
    """One leaf of the instance log: the checkpoint of a tenant. Stands behind the platform's own wall."""

    access: ClassVar[Access] = Access.READ
    sealer_access: ClassVar[str] = "SELECT, INSERT"

    seq = models.BigIntegerField()
    leaf = models.BinaryField(max_length=32)
    about = models.UUIDField()
    checkpoint = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "seq"], name="audit_instanceleaf_seq")]
        indexes = [models.Index(fields=["tenant", "about", "seq"], name="audit_instanceleaf_about")]


class Incarnation(TenantModel):
    """How many times the logs were begun anew after a restore lost a part of them; the origins carry the number."""

    access: ClassVar[Access] = Access.READ
    sealer_access: ClassVar[str] = "SELECT, INSERT"

    number = models.PositiveIntegerField()
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="audit_incarnation_number")]


class Receipt(TenantModel):
    """A signed statement over one entry, made in the transaction of its act, for whoever acted."""

    access: ClassVar[Access] = Access.APPEND

    tenant = tenant_key(checked=False)
    entry = TenantForeignKey(Entry, models.PROTECT, related_name="receipts")
    note = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "entry"], name="audit_receipt_entry")]


class Verified(TenantModel):
    """What the last verification of a tenant's log found, and where the next incremental one goes on.

    It saves work and proves nothing: a full verification asks nothing of it. Its id is the tenant's: one row each.
    `asked_at` stands while a job is to walk the whole log, because somebody asked for it then.
    """

    size = models.BigIntegerField(default=0)
    chain = models.BinaryField(max_length=32, default=bytes)
    peaks = models.BinaryField(default=bytes)
    until = models.BigIntegerField(default=0)
    sealed = models.BigIntegerField(default=0)
    whole = models.BooleanField()
    kind = models.CharField(max_length=32, blank=True)
    first_bad = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()
    full_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)


class PrivateValue(TenantModel):
    """Salt and value of what an entry commits to: the address or the agent that a person came with.

    The app may add and read; `orkestra_erase_private` deletes those of one person.
    """

    access: ClassVar[Access] = Access.APPEND

    tenant = tenant_key(checked=False)
    entry = TenantForeignKey(Entry, models.PROTECT, related_name="private_values")
    name = models.CharField(max_length=16)
    person = models.UUIDField(null=True)
    salt = models.BinaryField(max_length=32)
    value = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "entry", "name"], name="audit_privatevalue_once")]
        indexes = [models.Index(fields=["tenant", "person"], name="audit_privatevalue_person")]


class Reconciled(TenantModel):
    """What the last reconciliation found: how many kinds of rows were compared, and the first that no entry tells of.

    Its id is the tenant's: one row each.
    """

    whole = models.BooleanField()
    compared = models.PositiveIntegerField(default=0)
    missing = models.PositiveBigIntegerField(default=0)
    reason = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()


class SavedView(TenantModel):
    """Filters of the log under a name, of one person alone; `query` is what stands in the address."""

    person = models.UUIDField()
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=LONGEST_QUERY)
    made_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "person", "name"], name="audit_savedview_once")]


class LogExport(TenantModel):
    """An export of what some filters name, as CSV or JSON lines; `done` of `total` entries tell how far it is."""

    audit_type: ClassVar[str] = "log_export"

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("being made")
        DONE = "done", _("ready")
        FAILED = "failed", _("failed")
        DROPPED = "dropped", _("deleted")

    WAITING: ClassVar[tuple[State, ...]] = (State.QUEUED, State.RUNNING)

    requested_by = models.UUIDField()
    query = models.CharField(max_length=LONGEST_QUERY, blank=True)
    format = models.CharField(max_length=5)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "-created_at"], name="audit_logexport_time")]

    @property
    def is_waiting(self) -> bool:
        return self.state in self.WAITING

    @property
    def percent(self) -> int:
        """How much of it is written."""
        return min(100, 100 * self.done // self.total) if self.total else 0
