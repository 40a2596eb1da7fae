"""Answers: what shows, what is computed, and what is wrong where; the same for a page and the API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import apps.forms.demo
from apps.forms.rules.answers import Known, facts, read_answers
from apps.forms.rules.spec import read_spec

DEMO = Path(apps.forms.demo.__file__).parent
FORM = json.loads((DEMO / "purchase.json").read_text())
PURCHASE = read_spec(FORM["schema"], FORM["ui"])
ONE_FILE, THREE_FILES = ["f1"], ["f1", "f2", "f3"]
FILES = Known(files={"f1", "f2", "f3"})
GOOD = {
    "unit": "Public Works",
    "item": "Lathe",
    "justification": "The old one broke.",
    "required_by": "2026-12-18",
    "vendor": "Acme Tools",
    "sole_source": False,
    "lines": [{"description": "Lathe", "quantity": 2, "unit_price": 750_000}],
    "fund_code": "FUND1",
}


def judged(**changes):
    return read_answers(PURCHASE, {key: value for key, value in {**GOOD, **changes}.items() if value != "-"}, FILES)


def line(quantity, price):
    return [{"description": "x", "quantity": quantity, "unit_price": price}]


def test_good_answers_have_no_fault_and_their_total_is_computed():
    answers = judged()
    assert answers.errors == {}
    assert answers.data["total"] == 1_500_000


def test_a_total_that_somebody_sends_is_overwritten():
    assert judged(total=1).data["total"] == 1_500_000


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"item": "-"}, "item"),
        ({"item": 3}, "item"),
        ({"required_by": "2026-02-30"}, "required_by"),
        ({"fund_code": "fund"}, "fund_code"),
        ({"lines": []}, "lines"),
        ({"lines": line(1, 1) * 51}, "lines"),
        ({"lines": line(1, 1) * 201}, "data"),
        ({"lines": ["x"]}, "lines"),
        ({"lines": line(0, 1)}, "lines.0.quantity"),
        ({"lines": line(1, "9")}, "lines.0.unit_price"),
        ({"lines": [{"quantity": 1, "unit_price": 1}]}, "lines.0.description"),
        ({"lines": [{**line(1, 1)[0], "colour": "red"}]}, "lines.0.colour"),
        ({"nickname": "x"}, "nickname"),
        ({"sole_source": "yes"}, "sole_source"),
        ({"sole_source": True}, "sole_source_rationale"),
        ({"quotes": ["stranger"]}, "quotes"),
        ({"item": "x" * 600_000}, "data"),
        ({"item": "\ud800"}, "data"),
        ({"lines": line(1, 1.5)}, "data"),
    ],
)
def test_a_wrong_answer_is_named_at_its_place(changes, place):
    assert place in judged(**changes).errors


@pytest.mark.parametrize(
    ("cents", "files", "is_wrong"),
    [
        (1_500_000, [], False),
        (1_500_001, [], True),
        (1_500_001, ONE_FILE, False),
        (35_000_000, ONE_FILE, False),
        (35_000_001, ONE_FILE, True),
        (35_000_001, THREE_FILES, False),
    ],
)
def test_quotes_are_needed_from_the_thresholds_up(cents, files, is_wrong):
    assert ("quotes" in judged(lines=line(1, cents), quotes=files).errors) is is_wrong


def test_a_hidden_answer_is_not_kept():
    answers = judged(sole_source=False, sole_source_rationale="They are my cousins.")
    assert "sole_source_rationale" not in answers.data
    assert "sole_source_rationale" not in answers.shown


def test_a_question_that_shows_is_required_and_kept():
    answers = judged(sole_source=True, sole_source_rationale="Only they make the part.")
    assert answers.errors == {}
    assert answers.data["sole_source_rationale"] == "Only they make the part."


@pytest.mark.parametrize("quotes", [5, True, "one.pdf", {"a": 1}])
def test_files_that_are_no_list_are_a_fault_and_nothing_worse(quotes):
    assert "quotes" in read_answers(PURCHASE, GOOD | {"quotes": quotes}, FILES).errors


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "total", "quotes", "sole_source_rationale", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["quantity", "unit_price", "description"]), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    )
)
def test_whatever_is_answered_is_judged_and_what_passes_is_whole(given_answers):
    answers = read_answers(PURCHASE, given_answers, FILES)
    if not answers.errors:
        assert answers.required <= set(answers.data) | {"quotes"}
        again = read_answers(PURCHASE, answers.data, FILES)
        assert (again.data, again.errors) == (answers.data, {})
        assert set(facts(PURCHASE, answers.data)) == {item.name for item in PURCHASE.fields}
