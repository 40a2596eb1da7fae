"""kill -9 of the sealer before any of its statements leaves a log that is whole and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from django.db import connections

from apps.audit.checkpoints import checkpoint, checkpoint_instance
from apps.audit.instance import check_instance
from apps.audit.models import Entry, Seal
from apps.audit.sealer import seal
from apps.audit.verify import verify
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database
from tests.cast import acting_as

# A process that again and again forks a sealer, which dies by SIGKILL before its n-th statement, and then verifies.
DYING = """
import json, os, signal, sys
import django
django.setup()
from uuid import UUID
from django.db import connections, transaction
from apps.audit.actions import record
from apps.audit.checkpoints import checkpoint, checkpoint_instance
from apps.audit.models import Entry
from apps.audit.sealer import seal
from apps.audit.verify import verify
from apps.tenants.context import as_system

tenant = UUID(sys.argv[1])

def work(left):
    def die(execute, sql, params, many, context):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)
    connections["sealer"].execute_wrappers.append(die)
    seal(tenant)
    checkpoint(tenant)
    checkpoint_instance()

with as_system(tenant):
    for number in range(1, 100):
        with transaction.atomic():
            for _ in range(130):
                record("team.created")
        connections.close_all()
        child = os.fork()
        if child == 0:
            try:
                work([number])
                os._exit(0)
            except BaseException:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        found = verify()
        print(json.dumps([number, status, found.whole, found.sealed + found.unsealed == Entry.objects.count(), found.reason]))
        if status == 0:
            break
"""


@pytest.mark.every_tenant
def test_kill_minus_nine_before_every_statement_leaves_a_whole_log(acme):
    environment = os.environ | database.urls(str(connections["default"].settings_dict["NAME"]))
    done = subprocess.run([sys.executable, "-c", DYING, str(acme.id)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert [row for row in rows if not (row[2] and row[3])] == []
    assert {row[1] for row in rows[:-1]} == {int(signal.SIGKILL)}
    assert rows[-1][1] == 0
    assert len(rows) > 8
    seal(acme.id)
    checkpoint(acme.id)
    checkpoint_instance()
    with acting_as(acme.owner):
        found = verify()
        assert (found.whole, found.unsealed, found.sealed) == (True, 0, Entry.objects.count())
        assert list(Seal.objects.order_by("seq").values_list("seq", flat=True)) == list(range(found.sealed))
    with as_system(PLATFORM_TENANT_ID):
        check_instance()
