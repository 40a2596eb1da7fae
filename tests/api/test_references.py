"""Each reference can be looked up by an index, and by no more than one."""

from __future__ import annotations

import pytest

from tests import database

pytestmark = pytest.mark.database
# Per reference of a walled table: the indexes over all rows that begin with its columns.
LEADING = """
    SELECT c.conrelid::regclass || '.' || a.attname,
           count(i.indexrelid) FILTER (WHERE i.indnatts > 2 OR i.indisunique), count(i.indexrelid) FILTER (WHERE i.indnatts = 2
             AND NOT i.indisunique)
    FROM pg_constraint c
    JOIN pg_attribute t ON t.attrelid = c.conrelid AND t.attname = 'tenant_id'
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.attnum <> t.attnum
    LEFT JOIN pg_index i ON i.indrelid = c.conrelid AND i.indpred IS NULL
      AND i.indkey[0] = t.attnum AND i.indkey[1] = a.attnum
    WHERE c.contype = 'f' AND cardinality(c.conkey) = 2 AND c.connamespace = 'public'::regnamespace GROUP BY 1"""
# Their table was there before the constraint that begins with them, and its index with it.
OLDER = {"approvals_decision.assignment_id", "forms_revision.submission_id"}


def test_a_reference_has_an_index_of_its_own_only_where_no_other_begins_with_it(wall):
    with database.superuser() as admin:
        found = {name: (other, own) for name, other, own in admin.execute(LEADING).fetchall()}
    assert len(found) > 50
    assert [name for name, (other, own) in found.items() if not other and not own] == []
    assert [name for name, (other, own) in found.items() if other and own and name not in OLDER] == []
    assert max(own for _other, own in found.values()) == 1
