from django.urls import path
from django.views.decorators.http import require_POST

from . import views

app_name = "comms"
urlpatterns = [
    path("settings/webhooks/", views.webhooks, name="webhooks"),
    path("settings/webhooks/<uuid:pk>/", views.webhook, name="webhook"),
    path("settings/webhooks/<uuid:pk>/act/", require_POST(views.act), name="webhook_act"),
    path("settings/webhooks/<uuid:pk>/<uuid:delivery>/resend/", require_POST(views.resend), name="webhook_resend"),
]
