"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act
from apps.tenants.logged import Logged, Seen, Settled

ACTIONS = {
    "task.reassigned": Act(
        _("Asked somebody else instead"),
        _("A step asks another person than before."),
        ("step", "from", "to"),
    ),
    "path.published": Act(
        _("Published an approval path"), _("A frozen version of an approval path."), ("version", "sha256", "steps")
    ),
    "case.opened": Act(
        _("Sent for approval"),
        _("A submission began its way through the path."),
        ("path", "sha256"),
        sentence=_("{who} sent {about} for approval"),
    ),
    "case.resubmitted": Act(
        _("Sent again after correction"), _("A corrected submission began a new round."), ("round", "sha256")
    ),
    "case.approved": Act(_("Approved in the end"), _("The last step was approved."), ("state", "round")),
    "case.rejected": Act(
        _("Rejected in the end"), _("A step was rejected, and with it the submission."), ("state", "round")
    ),
    "case.withdrawn": Act(
        _("Withdrew from approval"), _("The submitter took the submission back."), ("state", "round")
    ),
    "case.sent_back": Act(_("Sent back for changes"), _("The submitter was asked for changes."), ("round",)),
    "case.stuck": Act(_("The path cannot go on"), _("Nobody can decide the step."), ("step",)),
    "step.opened": Act(
        _("Opened a step"),
        _("The step waits for the people named."),
        ("step", "asked", "quorum"),
        sentence=_("The step “{step}” of {about} was opened"),
    ),
    "step.staffed": Act(
        _("Named people for a step that stood still"),
        _("An owner said who decides where the path found too few."),
        ("step", "asked", "quorum"),
    ),
    "step.skipped": Act(
        _("Skipped a step, its condition did not hold"), _("The step's condition did not hold."), ("step", "when")
    ),
    "step.approved": Act(
        _("Approved a step"),
        _("The step's quorum is reached."),
        ("step",),
        sentence=_("The step “{step}” of {about} is approved"),
    ),
    "step.rejected": Act(_("Rejected a step"), _("The step cannot be approved any more."), ("step",)),
    "delegation.created": Act(
        _("Named a stand-in"),
        _("A member may decide in another's place for a time."),
        ("person", "stand_in", "from", "until"),
        sentence=_("{who} named somebody who may decide in another's place, from {from} until {until}"),
    ),
    "delegation.ended": Act(
        _("Ended a stand-in"),
        _(
            "A member may not decide in another's place any more: somebody ended it, one of them left, or its time is over."
        ),
        ("person", "stand_in", "why"),
    ),
    "submission.decided": Act(
        _("Decided"),
        _("One person's verdict on exactly the revision they saw, for themselves or in another's place."),
        ("verdict", "step", "revision", "sha256", "on_behalf_of"),
        variants={
            "verdict=approve": _("{who} approved the step “{step}” of {about}"),
            "verdict=reject": _("{who} rejected the step “{step}” of {about}"),
            "verdict=send_back": _("{who} sent {about} back for changes, in the step “{step}”"),
        },
    ),
}

# What reconciliation expects of the rows of this room.
LOGGED = (
    Logged("approvals.PathVersion", ("path.published",), "path", "path_id", {"version": "number", "sha256": "sha256"}),
    Logged("approvals.Case", ("case.opened",), "submission", "subject_id"),
    Logged("approvals.CaseStep", ("step.opened", "step.skipped", "case.stuck"), "step", "id", {"step": "key"}),
    Logged(
        "approvals.Decision",
        ("submission.decided",),
        "decision",
        "id",
        {"verdict": "verdict", "revision": "revision", "sha256": "subject_sha256", "on_behalf_of": "on_behalf_of_id"},
    ),
    Logged(
        "approvals.Delegation",
        ("delegation.created",),
        "delegation",
        "id",
        {"person": "person_id", "stand_in": "stand_in_id", "from": "starts_at", "until": "ends_at"},
    ),
)

# What the newest entry about a row leaves behind.
SETTLED = (
    Settled(
        "approvals.Case.state",
        "submission",
        {
            "case.opened": "in_review",
            "case.sent_back": "changes_requested",
            "case.resubmitted": "in_review",
            "case.approved": "approved",
            "case.rejected": "rejected",
            "case.withdrawn": "withdrawn",
        },
        "state",
        id_column="subject_id",
    ),
    Settled(
        "approvals.Delegation.ended",
        "delegation",
        {"delegation.created": "false", "delegation.ended": "true"},
        "ended_at",
        Seen.IS_SET,
    ),
)
