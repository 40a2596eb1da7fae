from django.urls import path
from django.views.decorators.http import require_POST

from . import views

app_name = "streams"
urlpatterns = [
    path("settings/audit-log/streams/", views.streams, name="list"),
    path("settings/audit-log/streams/new/", views.new, name="new"),
    path("settings/audit-log/streams/<uuid:pk>/", views.stream, name="stream"),
    path("settings/audit-log/streams/<uuid:pk>/act/", require_POST(views.act), name="act"),
]
