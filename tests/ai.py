"""What tests of AI share: a company that has it, a submission that waits, and the run of its job."""

from __future__ import annotations

from typing import Any

from apps.ai import breaker
from apps.ai.actions import grant, summaries, switch
from apps.ai.models import Summary, UsageEvent
from apps.flags import evaluation
from apps.tenants.context import as_system
from tests.forms import step

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "item": {"type": "string", "title": "Item", "maxLength": 2000},
        "total": {"type": "integer", "title": "Total", "format": "money", "minimum": 1},
        "account": {"type": "string", "title": "Pay to", "maxLength": 200},
        "health": {"type": "string", "title": "Medical reason", "maxLength": 200},
        "host": {"type": "string", "title": "Host", "format": "person"},
        "rows": {
            "type": "array", "title": "Lines", "items": {
                "type": "object", "properties": {"what": {"type": "string", "title": "What", "maxLength": 200}},
            },
        },
        "quotes": {"type": "array", "title": "Quotes", "items": {"type": "string", "format": "attachment"}},
    },
    "required": ["item", "total"],
}  # fmt: skip
DATA: dict[str, Any] = {"item": "Lathe", "total": 500_000}


def allowed(company: Any, ceiling: int = 1_000_000) -> None:
    """Grant AI to a company and switch it on."""
    evaluation.forget()
    breaker.forget()
    with as_system(company.id):
        grant(ceiling=ceiling)
        switch(is_on=True, by=company.owner)


def waiting(api: Any, company: Any, **data: Any) -> tuple[str, dict[str, Any]]:
    """(submission, its reviewer's task) of a form with a field that is never sent."""
    owner = api.as_(company.owner)
    body = {
        "title": "Request", "slug": f"r{len(owner.get('/api/v1/forms').json()['results'])}", "schema": SCHEMA,
        "ui": {"fields": {"health": {"never_send": True}}},
        "path": {"steps": [step("manager", company.reviewer)]},
    }  # fmt: skip
    form = owner.post("/api/v1/forms", body).json()["id"]
    assert owner.post(f"/api/v1/forms/{form}/publish").status_code == 201
    sent = api.as_(company.editor).post(f"/api/v1/forms/{form}/submissions", {"data": DATA | data})
    assert sent.status_code == 201, sent.json()
    submission = sent.json()["id"]
    (task,) = api.as_(company.reviewer).get(f"/api/v1/tasks?submission={submission}").json()["results"]
    return submission, task


def ask(api: Any, company: Any, task: dict[str, Any]) -> Any:
    return api.as_(company.reviewer).post(f"/api/v1/ai/tasks/{task['id']}/summary")


def run(company: Any) -> str:
    """Run what the worker would until it is done; how it ended: the state, or the failure."""
    with as_system(company.id):
        while found := Summary.objects.filter(state="waiting").first():
            try:
                summaries.write_summary(found.pk)
            except summaries.TryAgain:
                continue
        last = Summary.objects.order_by("-asked_at").first()
        return last.failure or last.state if last else "none"


def events(company: Any) -> list[UsageEvent]:
    with as_system(company.id):
        return list(UsageEvent.objects.order_by("at"))


def page_of(browse: Any, company: Any, task: Any) -> str:
    """The reviewer's page of a task."""
    return str(browse(company.reviewer).get(company.url(f"tasks/{task['id']}/")).content.decode())


def press(browse: Any, company: Any, task: Any, who: Any = None, **data: Any) -> Any:
    """A button of the summary on that page."""
    return browse(who or company.reviewer).post(company.url(f"tasks/{task['id']}/summary/"), data)
