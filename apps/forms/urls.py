from django.urls import path
from django.views.decorators.http import require_POST

from .views import access, catalogue, data, filling, ownership, reviewing, trail

app_name = "forms"
urlpatterns = [
    path("forms/", catalogue.forms, name="list"),
    path("settings/forms-without-owner/", ownership.unowned, name="unowned"),
    path("settings/forms-without-owner/<uuid:pk>/", require_POST(ownership.take), name="take"),
    path("forms/new/", catalogue.new, name="new"),
    path("forms/<slug:slug>/", catalogue.form, name="form"),
    path("forms/<slug:slug>/trail/", trail.form_trail, name="form_trail"),
    path("submissions/<uuid:pk>/trail/", trail.submission_trail, name="submission_trail"),
    path("forms/<slug:slug>/access/", access.access, name="access"),
    path("forms/<slug:slug>/access/<uuid:pk>/", require_POST(access.revoke), name="revoke"),
    path("forms/<slug:slug>/edit/", catalogue.edit, name="edit"),
    path("forms/<slug:slug>/fill/", filling.fill, name="fill"),
    path("forms/<slug:slug>/preview/", require_POST(filling.preview), name="preview"),
    path("forms/<slug:slug>/delete/", data.delete, name="delete"),
    path("settings/data/", data.data, name="data"),
    path("settings/data/exports/<uuid:pk>/", data.download, name="export"),
    path("submissions/<uuid:pk>/discard/", require_POST(data.discard), name="discard"),
    path("submissions/", reviewing.submissions, name="submissions"),
    path("submissions/<uuid:pk>/", reviewing.submission, name="submission"),
    path("submissions/<uuid:pk>/edit/", filling.draft, name="draft"),
    path("submissions/<uuid:pk>/check/", filling.check, name="check"),
    path("submissions/<uuid:pk>/withdraw/", require_POST(reviewing.withdraw), name="withdraw"),
    path("files/<uuid:pk>/", reviewing.download, name="download"),
    path("tasks/", reviewing.tasks, name="tasks"),
    path("tasks/<uuid:pk>/", reviewing.task, name="task"),
]
