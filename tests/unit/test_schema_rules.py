"""The part of JSON Schema that a form may have: everything else is refused by its place."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.forms.rules.spec import Kind, read_spec
from apps.tenants.refusals import Invalid

DEEP: dict = {}
for _level in range(60):
    DEEP = {"a": DEEP}


def one(**field):
    """A form with one field `a`."""
    return {"type": "object", "properties": {"a": {"type": "string"} | field}}


def faults(schema, ui=None):
    """Where it is wrong; empty when it is read."""
    try:
        read_spec(schema, ui)
    except Invalid as refused:
        return set(refused.errors)
    return set()


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ([], "schema"),
        (None, "schema"),
        ({"type": "array", "properties": {"a": {"type": "string"}}}, "schema.type"),
        ({"type": "object"}, "schema.properties"),
        ({"type": "object", "properties": {}}, "schema.properties"),
        ({"type": "object", "properties": {"A b": {"type": "string"}}}, "schema.properties.A b"),
        ({"type": "object", "properties": {"a": 3}}, "schema.properties.a"),
        (one() | {"allOf": []}, "schema.allOf"),
        (one() | {"$schema": "http://json-schema.org/draft-07/schema#"}, "schema.$schema"),
        (one() | {"additionalProperties": True}, "schema.additionalProperties"),
        (one() | {"required": ["b"]}, "schema.required.0"),
        (one() | {"required": "a"}, "schema.required"),
        (one(type="number"), "schema.properties.a.type"),
        (one(type=["string", "null"]), "schema.properties.a.type"),
        (one(**{"$ref": "#/x"}), "schema.properties.a.$ref"),
        (one(format="uri"), "schema.properties.a.format"),
        (one(pattern="(a)\\1"), "schema.properties.a.pattern"),
        (one(pattern="(?=x)"), "schema.properties.a.pattern"),
        (one(pattern="a" * 501), "schema.properties.a.pattern"),
        (one(minLength=5, maxLength=2), "schema.properties.a.minLength"),
        (one(minLength=-1), "schema.properties.a.minLength"),
        (one(oneOf=[{"const": "x"}]), "schema.properties.a.oneOf.0.title"),
        (one(oneOf=[{"const": "x", "title": "X"}] * 2), "schema.properties.a.oneOf.1.const"),
        (one(enum=[1]), "schema.properties.a.enum"),
        (one(type="integer", minimum=1.5), "schema.properties.a.minimum"),
        (one(type="boolean", const=False), "schema.properties.a.const"),
        (one(type="array", items={"type": "string"}), "schema.properties.a.items"),
        (one(type="array", items={"type": "object", "properties": {"b": {"type": "array"}}}), "schema.properties.a.items.properties.b.type"),
        (one(title="\0"), "schema.properties.a.title"),
        (one(title=3), "schema.properties.a.title"),
        ({"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(201)}}, "schema.properties"),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_supported_is_refused_by_its_place(schema, place):
    assert place in faults(schema)


@pytest.mark.parametrize(
    ("ui", "place"),
    [
        ([], "ui"),
        ({"theme": "x"}, "ui.theme"),
        ({"fields": {"b": {}}}, "ui.fields.b"),
        ({"fields": {"a": {"widget": "map"}}}, "ui.fields.a.widget"),
        ({"fields": {"a": {"show_if": "data.b =="}}}, "ui.fields.a.show_if"),
        ({"fields": {"a": {"computed": "1"}}}, "ui.fields.a.computed"),
        ({"fields": {"a": {"demands": [{"when": "true", "at_least": 0, "message": "x"}]}}}, "ui.fields.a.demands.0.at_least"),
        ({"sections": [{"title": "S", "fields": []}]}, "ui.sections"),
        ({"sections": [{"title": "S", "fields": ["a", "a"]}]}, "ui.sections.0.fields.1"),
        ({"sections": [{"title": "S", "fields": [["a"]]}]}, "ui.sections.0.fields.0"),
        ({"sections": [{"title": 3, "fields": ["a"]}]}, "ui.sections.0.title"),
        ({"sections": [["a"]]}, "ui.sections.0"),
        ({"reference": "PR-"}, "ui.reference"),
        ({"summary": "b"}, "ui.summary"),
    ],
)  # fmt: skip
def test_a_look_that_is_not_supported_is_refused_by_its_place(ui, place):
    assert place in faults(one(), ui)


def test_questions_keep_the_order_of_their_author():
    names = ["zebra", "apple", "mango"]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    assert [item.name for item in read_spec(schema, None).fields] == names


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ({"type": "string"}, Kind.TEXT),
        ({"type": "string", "format": "date"}, Kind.DATE),
        ({"type": "string", "format": "time"}, Kind.TIME),
        ({"type": "string", "format": "email"}, Kind.EMAIL),
        ({"type": "string", "format": "person"}, Kind.PERSON),
        ({"type": "string", "enum": ["x"]}, Kind.CHOICE),
        ({"type": "integer"}, Kind.INTEGER),
        ({"type": "integer", "format": "money"}, Kind.MONEY),
        ({"type": "boolean"}, Kind.YES_NO),
        ({"type": "array", "items": {"type": "string", "oneOf": [{"const": "x", "title": "X"}]}}, Kind.CHOICES),
        ({"type": "array", "items": {"type": "string", "format": "attachment"}}, Kind.FILE),
        ({"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string"}}}}, Kind.ROWS),
    ],
)
def test_each_kind_of_question_is_read(field, kind):
    assert read_spec({"type": "object", "properties": {"a": field}}, None).fields[0].kind is kind


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "oneOf", "enum", "format", "required", "a", "title", "const"]),
            inner | st.sampled_from(["string", "object", "array", "integer", "boolean"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)  # fmt: skip


@given(JUNK, JUNK)
def test_whatever_is_sent_as_a_form_is_read_or_refused(value, ui):
    for schema in (value, {"type": "object", "properties": value}, one() | {"properties": {"a": value}}):
        before = copy.deepcopy(schema)
        assert isinstance(faults(schema, ui), set)
        assert repr(schema) == repr(before)


def test_nesting_without_end_is_refused():
    assert faults(one(title=DEEP))
