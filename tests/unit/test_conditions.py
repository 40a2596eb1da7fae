"""CEL: what is refused when a form is published, and what never passes for an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.approvals.conditions import LONGEST_LIST, Condition, ConditionError, compile_condition, without_texts
from apps.tenants.refusals import Invalid

ROWS = "data.rows"
LONG = {"rows": [1] * (LONGEST_LIST + 1)}


def nested(depth: int) -> str:
    """`all` inside `all`, so deep."""
    return "true" if depth == 0 else f"{ROWS}.all(x{depth}, {nested(depth - 1)})"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "Write a condition"),
        (3, "Write a condition"),
        ("data.total >", "does not compile"),
        ("data.total > 1 &&", "does not compile"),
        ("(" * 400 + "1" + ")" * 400, "does not compile"),
        ("1 + " * 600 + "1", "longer than 2000 characters"),
        ("open('/etc/passwd')", "no function open"),
        ("data.rows.reduce(x, 1)", "no function reduce"),
        ("matches(data.item, '(a+)+$')", "no function matches"),
        (nested(3), "too often"),
        (" && ".join([nested(1)] * 5), "too often"),
        ("data.item == 'a\0b'", "cannot be read"),
    ],
)
def test_a_condition_that_could_not_be_answered_is_refused_by_its_place(source, why):
    with pytest.raises(Invalid) as refused:
        compile_condition(source, where="path.steps.0.when")
    ((place, (text,)),) = refused.value.errors.items()
    assert place == "path.steps.0.when"
    assert why in str(text)


@pytest.mark.parametrize(
    ("source", "data", "answer"),
    [
        ("data.total > 1500000", {"total": 1500000}, False),
        ("data.total > 1500000", {"total": 1500001}, True),
        ("data.rows.exists(row, row.kind == 'sick')", {"rows": [{"kind": "annual"}, {"kind": "sick"}]}, True),
        (
            "sum(data.rows.map(row, row.n * row.price)) > 5",
            {"rows": [{"n": 2, "price": 2}, {"n": 1, "price": 1}]},
            False,
        ),
        ("data.item.contains('exists(all(map(')", {"item": "exists(all(map("}, True),
        (nested(2), {"rows": [1, 2]}, True),
    ],
)
def test_a_condition_answers(source, data, answer):
    assert compile_condition(source, where="when").holds(data) is answer


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("data.total > 1", {"total": None}),
        ("data.total > 1", {"total": "2"}),
        ("data.total > 1", {}),
        ("data.total", {"total": 1}),
        ("data.total / 0 > 1", {"total": 1}),
        ("data.total * data.total > 0", {"total": 2**53}),
        ("true", LONG),
    ],
)
def test_facts_that_do_not_fit_give_no_answer(source, data):
    with pytest.raises(ConditionError):
        compile_condition(source, where="when").holds(data)


@pytest.mark.parametrize("value", [True, "3", 1.5, 2**53 + 1])
def test_a_computed_number_is_a_whole_number_within_the_exact_range(value):
    with pytest.raises(ConditionError):
        Condition("data.n").number({"n": value})


@given(st.text(max_size=80))
def test_any_text_is_answered_with_a_condition_or_a_named_place(source):
    places = set()
    try:
        compile_condition(source, where="here")
    except Invalid as refused:
        places = set(refused.errors)
    assert places <= {"here"}


@given(st.text(alphabet="ab\\\"'.(", max_size=12))
def test_nothing_inside_a_text_counts_as_code(text):
    literal = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert without_texts(f"data.item == {literal}") == 'data.item == ""'


@given(st.lists(st.integers(-(2**40), 2**40), max_size=LONGEST_LIST))
def test_sum_is_the_sum(numbers):
    assert Condition("sum(data.n)").number({"n": numbers}) == sum(numbers)
