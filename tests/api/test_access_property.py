"""Whatever grants, roles and teams there are: lists, single looks and rights say what a plain reading of the rules says."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from apps.accounts.models import Member, Team, TeamMember
from apps.accounts.rules import Role
from apps.forms.access import capabilities, explained, look
from apps.forms.actions import unowned
from apps.forms.models import Form, Grant, GrantRole, PrincipalType
from tests.cast import acting_as
from tests.forms import body, published, step

PEOPLE, TEAMS, FORMS = 4, 2, 3
DOES = {"OWNER": {"manage", "edit", "review"}, "EDITOR": {"edit"}, "REVIEWER": {"review"}, "FILLER": set()}
WRITES = {Role.OWNER, Role.MEMBER}


@dataclass(frozen=True)
class Given:
    """(form, kind, which, role) of each grant; roles of people; seats; who is active; which forms are published."""

    grants: frozenset[tuple[int, str, object, str]]
    roles: tuple[Role, ...]
    seats: frozenset[tuple[int, int]]
    active: tuple[bool, ...]


principals = st.one_of(
    st.tuples(st.just("USER"), st.integers(0, PEOPLE - 1)),
    st.tuples(st.just("ROLE"), st.sampled_from(Role.values)),
    st.tuples(st.just("TEAM"), st.integers(0, TEAMS - 1)),
)
grants = st.tuples(st.integers(0, FORMS - 1), principals, st.sampled_from(GrantRole.values)).map(
    lambda found: (found[0], *found[1], found[2])
)
worlds = st.builds(
    Given,
    st.frozensets(grants, max_size=8),
    st.tuples(*[st.sampled_from(list(Role))] * PEOPLE),
    st.frozensets(st.tuples(st.integers(0, TEAMS - 1), st.integers(0, PEOPLE - 1)), max_size=6),
    st.tuples(*[st.booleans()] * PEOPLE),
)


def matches(world, person, kind, which):
    """The oracle: one principal, read by hand."""
    if kind == "USER":
        return which == person
    if kind == "ROLE":
        return world.roles[person] == which
    return (which, person) in world.seats


def held(world, person, form):
    return {role for on, kind, which, role in world.grants if on == form and matches(world, person, kind, which)}


def may(world, person, form, is_published):
    role, roles = world.roles[person], held(world, person, form)
    found = set().union(*(DOES[one] for one in roles))
    if role not in WRITES:
        found -= {"manage", "edit"}
    if is_published and (role in WRITES or "FILLER" in roles):
        found.add("fill")
    return found


def sees(world, person, form, is_published):
    works = held(world, person, form) - {"FILLER"}
    return bool(works) or "fill" in may(world, person, form, is_published)


def is_owned(world, form):
    """The company's owner and members, who are no part of the world, hold what goes to their roles."""
    if {("OWNER", "owner"), ("OWNER", "member")} & {
        (role, which) for on, _kind, which, role in world.grants if on == form
    }:
        return True
    return any(
        "OWNER" in held(world, person, form) and world.active[person] and world.roles[person] in WRITES
        for person in range(PEOPLE)
    )


def build(world, people, teams, forms):
    """Put the world into the database, in place of the one before."""
    Grant.objects.filter(form__in=forms).delete()
    TeamMember.objects.filter(team__in=teams).delete()
    for member, role, active in zip(people, world.roles, world.active, strict=True):
        Member.objects.filter(pk=member.pk).update(role=role, is_active=active)
    TeamMember.objects.bulk_create(TeamMember(team=teams[team], member=people[who]) for team, who in world.seats)
    columns = {"USER": ("principal_member", people), "TEAM": ("principal_team", teams)}
    for form, kind, which, role in world.grants:
        principal = {"principal_role": which} if kind == "ROLE" else {columns[kind][0]: columns[kind][1][which]}
        Grant.objects.create(form=forms[form], principal_type=PrincipalType(kind), role=role, **principal)


@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(world=worlds)
def test_lists_looks_and_rights_are_what_the_rules_say(api, acme, world):
    people, teams, forms, published_ones = _stage(api, acme)
    with acting_as(acme.owner):
        build(world, people, teams, forms)
        found = list(Member.objects.select_related("user", "tenant").filter(pk__in=[one.pk for one in people]))
        found.sort(key=lambda one: [person.pk for person in people].index(one.pk))
        for number, member in enumerate(found):
            listed = set(Form.objects.visible_to(member).values_list("pk", flat=True))
            for index, form in enumerate(forms):
                is_published = form.pk in published_ones
                expected = sees(world, number, index, is_published)
                assert (form.pk in listed) is expected
                assert Form.objects.visible_to(member).filter(pk=form.pk).exists() is expected
                assert looked_up(member, form) == (may(world, number, index, is_published) if expected else None)
                assert capabilities(form, member) == may(world, number, index, is_published)
                why = explained(form, member)
                assert {grant.role for grant in why.grants} == held(world, number, index)
                assert why.may == (sorted(may(world, number, index, is_published)) if world.active[number] else [])
        without = set(unowned().values_list("pk", flat=True))
        assert {form.pk for form in forms} & without == {
            form.pk for index, form in enumerate(forms) if not is_owned(world, index)
        }


def looked_up(member, form):
    """What a page of one form lets them do there, or None where there is no such page for them."""
    try:
        return look(member, Form.objects.all(), pk=form.pk).may
    except Http404:
        return None


_stages: dict[str, tuple[list[Member], list[Team], list[Form], set[object]]] = {}


def _stage(api, acme):
    """People, teams and forms of one company, made once; the first form is published, the others are drafts."""
    if acme.slug not in _stages:
        people = [acme.member(f"person{number}") for number in range(PEOPLE)]
        teams = [acme.team(f"Team {number}") for number in range(TEAMS)]
        published(api, acme.owner, step("a", acme.reviewer), slug="form-0")
        for number in range(1, FORMS):
            api.as_(acme.owner).post("/api/v1/forms", body(step("a", acme.reviewer), slug=f"form-{number}"))
        with acting_as(acme.owner):
            forms = list(Form.objects.order_by("slug"))
        _stages[acme.slug] = people, teams, forms, {forms[0].pk}
    return _stages[acme.slug]
