"""People, the tenants they belong to, their teams, and the refresh tokens of their integrations."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from apps.tenants import clock
from apps.tenants.ids import new_id
from apps.tenants.models import Tenant, TenantForeignKey, TenantManager, TenantModel, TenantQuerySet

from .rules import FOR_PEOPLE, Role, permissions_of


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A person with a hashed password; without one they cannot sign in by password."""
        user: User = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(force_insert=True)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person who can sign in. Global: belongs to tenants through Members."""

    audit_type: ClassVar[str] = "user"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    is_active = models.BooleanField(_("active"), default=True)
    is_platform_admin = models.BooleanField(_("Super Admin"), default=False)
    is_service = models.BooleanField(_("service account"), default=False)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            # Django writes a password that opens nothing as "!" and random letters.
            models.CheckConstraint(
                condition=models.Q(is_service=False) | models.Q(("password__startswith", "!"), is_platform_admin=False),
                name="accounts_user_service_has_no_password",
            )
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Django's admin opens to Super Admins only."""
        return self.is_platform_admin

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """In Django's admin a Super Admin looks at everything and changes nothing there."""
        return self.is_active and self.is_platform_admin and permission.split(".")[-1].startswith("view_")

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_platform_admin


class MemberQuerySet(TenantQuerySet["Member"]):
    def active(self) -> Self:
        """Members who may act: neither they nor their user is switched off."""
        return self.filter(is_active=True, user__is_active=True)

    def people(self) -> Self:
        """Active members behind whom a person stands: service accounts never own alone, take over or decide."""
        return self.active().filter(is_service=False)

    def in_team(self, team: UUID | str) -> Self:
        """Members of one team."""
        return self.filter(Exists(TeamMember.objects.filter(member=OuterRef("pk"), team_id=team)))

    def for_emergencies(self) -> Self:
        """Active owners who were named to get in past the provider, and have the second factor that it takes."""
        return self.active().filter(role=Role.OWNER, is_break_glass=True, user__authenticator__isnull=False).distinct()


class MembershipManager(models.Manager["Member"]):
    """Memberships across tenants of the person the database is bound to: for the gateway and the tenant menu only."""

    def of(self, user: UUID) -> models.QuerySet[Member]:
        """Active memberships in active tenants, by the tenant's name."""
        rows = self.get_queryset().select_related("tenant", "user")
        return rows.filter(user_id=user, is_active=True, user__is_active=True, tenant__is_active=True).order_by(
            "tenant__name"
        )


MemberManager = TenantManager.from_queryset(MemberQuerySet)


class Member(TenantModel):
    """A person in a tenant, with one tenant role."""

    audit_type: ClassVar[str] = "member"
    extra_policies: ClassVar[tuple[str, ...]] = ("own_memberships",)

    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    role = models.CharField(_("role"), max_length=16, choices=Role.choices)
    is_active = models.BooleanField(_("active"), default=True)
    is_service = models.BooleanField(_("service account"), default=False)
    is_break_glass = models.BooleanField(_("may sign in past the provider"), default=False)
    joined_at = models.DateTimeField(_("joined"), default=clock.now, editable=False)

    objects: ClassVar[MemberManager] = MemberManager()
    memberships = MembershipManager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="accounts_member_once"),
            models.CheckConstraint(
                condition=models.Q(is_service=False) | ~models.Q(role=Role.OWNER),
                name="accounts_member_service_owns_nothing",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return _("%(name)s (service account)") % {"name": self.user} if self.is_service else str(self.user)

    @property
    def email(self) -> str:
        return self.user.email

    @property
    def permissions(self) -> frozenset[str]:
        """What the role may do at most; a service account never decides."""
        return permissions_of(self.role) - (FOR_PEOPLE if self.is_service else frozenset())

    @property
    def can_act(self) -> bool:
        return self.is_active and self.user.is_active

    @property
    def is_for_emergencies(self) -> bool:
        """Whether they were named to get in past the provider; only owners do, and whoever is none any more does not."""
        return self.is_break_glass and self.role == Role.OWNER


class InvitationQuerySet(TenantQuerySet["Invitation"]):
    def open(self) -> Self:
        """Neither used nor withdrawn; one that ran out is still open until somebody looks, and opens nothing."""
        return self.filter(accepted_at=None, revoked_at=None)


InvitationManager = TenantManager.from_queryset(InvitationQuerySet)


class Invitation(TenantModel):
    """A place in the tenant kept for an e-mail address. Only the hash of the link's secret is stored."""

    audit_type: ClassVar[str] = "invitation"
    extra_policies: ClassVar[tuple[str, ...]] = ("by_hash",)

    email = models.EmailField(_("e-mail"))
    role = models.CharField(_("role"), max_length=16, choices=Role.choices)
    token_sha256 = models.BinaryField(max_length=32)
    teams = models.JSONField(default=list)  # ids; a team that is gone by then is left out
    invited_by = TenantForeignKey(Member, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("invited"), default=clock.now, editable=False)
    expires_at = models.DateTimeField(_("until"))
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[InvitationManager] = InvitationManager()

    class Meta:
        verbose_name = _("invitation")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="accounts_invitation_open",
            )
        ]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="accounts_invitation_time")]

    @property
    def has_run_out(self) -> bool:
        return self.expires_at <= clock.now()


class Team(TenantModel):
    """A named set of members."""

    audit_type: ClassVar[str] = "team"

    name = models.CharField(_("name"), max_length=200)
    slug = models.SlugField(_("short name"), max_length=63)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="accounts_team_slug")]

    def __str__(self) -> str:
        return self.name

    @property
    def members(self) -> MemberQuerySet:
        """Its active members."""
        return Member.objects.active().in_team(self.pk)


class TeamMember(TenantModel):
    """One member in one team."""

    team = TenantForeignKey(Team, models.CASCADE, related_name="memberships")
    member = TenantForeignKey(Member, models.CASCADE, related_name="team_memberships")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "team", "member"], name="accounts_team_member_once")]


class ApiKeyQuerySet(TenantQuerySet["ApiKey"]):
    def alive(self) -> Self:
        """Neither taken back nor run out."""
        return self.filter(revoked_at=None, expires_at__gt=clock.now())


ApiKeyManager = TenantManager.from_queryset(ApiKeyQuerySet)


class ApiKey(TenantModel):
    """A key by which a program acts as a member, within some permissions and for a time. Only its hash is stored."""

    audit_type: ClassVar[str] = "api_key"
    extra_policies: ClassVar[tuple[str, ...]] = ("by_hash",)

    name = models.CharField(_("name"), max_length=100)
    member = TenantForeignKey(Member, models.PROTECT, related_name="+")
    # Knows its text; null for an older key.
    made_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    user_id = models.UUIDField()  # the member's person, known before the tenant is in force
    shown = models.CharField(_("key"), max_length=16)
    secret_sha256 = models.BinaryField(max_length=32)
    scopes = models.JSONField()
    created_at = models.DateTimeField(_("made"), default=clock.now, editable=False)
    expires_at = models.DateTimeField(_("until"))
    last_used_at = models.DateTimeField(_("last use"), null=True)
    last_address = models.GenericIPAddressField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()

    class Meta:
        verbose_name = _("API key")
        constraints = [models.UniqueConstraint(fields=["tenant", "secret_sha256"], name="accounts_apikey_hash")]

    @property
    def audit_label(self) -> str:
        return self.shown


class TokenFamily(models.Model):
    """A chain of refresh tokens from one sign-in; each is used once, and a second use ends the chain.

    One that was opened by an access token has the token's family as parent: it ends with that one, and no later.
    Only the hash of the newest secret is kept. Global, because it is found by its id before a tenant is known.
    """

    audit_type: ClassVar[str] = "token_family"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="+")
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="+")
    generation = models.PositiveIntegerField(default=0)
    secret_sha256 = models.BinaryField(max_length=32)
    agent = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    rotated_at = models.DateTimeField(null=True)
    amr = models.CharField(max_length=64, default="pwd")
    auth_time = models.DateTimeField(default=clock.now)
    idle_expires_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)


class BrowserSession(AbstractBaseSession):
    """A browser in which somebody is signed in. Global: it is found by the hash of its key before a tenant is known."""

    user_id = models.UUIDField(null=True, db_index=True)
    opened_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    agent = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True)

    objects: ClassVar[Any] = BaseSessionManager()  # type: ignore[misc]

    @classmethod
    def get_session_store_class(cls) -> Any:
        from .sessions import SessionStore

        return SessionStore


class SigningKey(models.Model):
    """A key that signs access tokens; the private part sealed, or in the environment where it is empty. Global."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kid = models.CharField(max_length=16, unique=True)
    public = models.BinaryField(max_length=32)
    sealed = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    signs_from = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)


class Kept(models.Model):
    """A count or a small value for a short time, by the hash of its name. Global: it is asked before anybody is known."""

    key = models.CharField(primary_key=True, max_length=64)
    count = models.PositiveIntegerField(default=0)
    value = models.TextField(blank=True)
    expires_at = models.DateTimeField(db_index=True)


class RevokedKind(models.TextChoices):
    FAMILY = "family", _("token family")
    USER = "user", _("person")
    TENANT = "tenant", _("tenant")


class Revocation(models.Model):
    """Access tokens of a family, a person or a tenant that were issued until `at` are refused. Global, ids only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=8, choices=RevokedKind.choices)
    key = models.UUIDField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [models.Index(fields=["key", "kind", "at"], name="accounts_revocation_key")]


class RecoveryCode(models.Model):
    """One code for the day when app and passkey are out of reach; only its salted hash is kept. Global, as its person."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    finds = models.CharField(max_length=4)
    hashed = models.CharField(max_length=160)
    made_at = models.DateTimeField(default=clock.now, editable=False)
    used_at = models.DateTimeField(null=True)


class SupportVisitQuerySet(TenantQuerySet["SupportVisit"]):
    def open(self) -> Self:
        """Neither left nor over."""
        return self.filter(closed_at=None, closes_at__gt=clock.now())


SupportVisitManager = TenantManager.from_queryset(SupportVisitQuerySet)


class SupportVisit(TenantModel):
    """A Super Admin inside this tenant, for a while and for a reason; `member` is the owner they act for."""

    audit_type: ClassVar[str] = "support_visit"

    visitor = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("Super Admin"))
    member = TenantForeignKey(Member, models.PROTECT, related_name="+")
    reason = models.TextField(_("reason"), max_length=1000)
    opened_at = models.DateTimeField(_("entered"))
    closes_at = models.DateTimeField(_("until"))
    closed_at = models.DateTimeField(_("left"), null=True)

    objects: ClassVar[SupportVisitManager] = SupportVisitManager()

    class Meta:
        verbose_name = _("support visit")
        verbose_name_plural = _("support visits")


from .sso.models import SsoConnection, SsoDomain, SsoIdentity  # noqa: E402, F401  they name Member
