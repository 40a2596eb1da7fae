"""`auth`: what the gateway costs a request, and what access lists cost among 200,000 grants and 50,000 forms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import psycopg

from .isolation import admin_url, environment
from .stage import ROOT, Stage

FORMS, GRANTS, VISIBLE = 50_000, 200_000, 50
FORM_ROWS = """
    INSERT INTO forms_form SELECT (jsonb_populate_record(NULL::forms_form, to_jsonb(one) || jsonb_build_object(
      'id', gen_random_uuid(), 'slug', 'measured-' || n, 'live_version_id', null))).*
    FROM (SELECT f.* FROM forms_form f JOIN tenants_tenant t ON t.id = f.tenant_id AND t.slug = 'acme' LIMIT 1) one,
         generate_series(1, %s) n"""
# Each form has grants of people, teams and roles who are not the one that is asked about …
GRANT_ROWS = """
    INSERT INTO forms_grant (id, tenant_id, form_id, principal_type, principal_member_id, principal_role,
                             principal_team_id, role, created_at)
    SELECT gen_random_uuid(), f.tenant_id, f.id, CASE WHEN n < 3 THEN 'USER' ELSE 'TEAM' END,
           CASE WHEN n < 3 THEN gen_random_uuid() END, '', CASE WHEN n = 3 THEN gen_random_uuid() END,
           (ARRAY['OWNER', 'EDITOR', 'REVIEWER'])[1 + n %% 3], now()
    FROM forms_form f, generate_series(0, %s) n WHERE f.slug LIKE 'measured-%%'"""
# … and on so many of them the editor holds one too.
MINE = """
    INSERT INTO forms_grant (id, tenant_id, form_id, principal_type, principal_member_id, principal_role, role, created_at)
    SELECT gen_random_uuid(), f.tenant_id, f.id, 'USER', m.id, '', 'EDITOR', now()
    FROM (SELECT * FROM forms_form WHERE slug LIKE 'measured-%%' ORDER BY md5(slug) LIMIT %s) f
    JOIN accounts_member m ON m.tenant_id = f.tenant_id
    JOIN accounts_user u ON u.id = m.user_id AND u.email = 'editor@acme.example'"""


def measure(stage: Stage) -> dict[str, Any]:
    """Fill, then measure inside one process that has the app's own settings."""
    urls = environment(stage)
    with psycopg.connect(admin_url(stage, urls), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(FORM_ROWS, [FORMS])
        admin.execute(GRANT_ROWS, [GRANTS // FORMS - 1])
        admin.execute(MINE, [VISIBLE])
        admin.execute("VACUUM ANALYZE")
    pair = stage.ask("POST", "/auth/token", _body(stage))
    command = [sys.executable, "-m", "scripts.benchmarks.auth_inside", pair["access"], str(stage.port)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | urls, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for name, figures in found.items():
        print(f"{name:<28} {figures}")
    return {"forms": FORMS, "grants": GRANTS, "visible": VISIBLE, **found}


def _body(stage: Stage) -> dict[str, str]:
    from .stage import PASSWORD

    return {"email": "editor@acme.example", "password": PASSWORD, "tenant": "acme"}
