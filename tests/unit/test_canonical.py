"""The bytes that are hashed are those of RFC 8785, and have one reading only."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import canonical

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_they_equal_an_independent_encoder(value):
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(VALUES)
def test_they_read_back_as_the_same_value(value):
    assert canonical.decode(canonical.encode(value)) == value


@pytest.mark.parametrize("value", [1.5, float("nan"), 2**53 + 1, "\ud800", {"ä": 1}, {1: 2}, b"x", (1,), {"a": {2}}])
def test_a_value_without_agreed_bytes_is_refused(value):
    with pytest.raises(canonical.NotCanonical):
        canonical.encode(value)


@pytest.mark.parametrize("body", [b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'"\\u0041"', b"1.0", b"{", b"\xff"])
def test_bytes_that_are_not_the_canonical_ones_are_refused(body):
    with pytest.raises(canonical.NotCanonical):
        canonical.decode(body)


@given(VALUES, st.data())
def test_no_other_spelling_of_a_value_is_taken(value, data):
    other = json.dumps(value, indent=data.draw(st.sampled_from([None, 1]))).encode()
    if other != canonical.encode(value):
        with pytest.raises(canonical.NotCanonical):
            canonical.decode(other)
