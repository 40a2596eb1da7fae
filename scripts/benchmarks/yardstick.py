"""The yardstick: the least that Django REST framework does to insert one row of JSON, on the same server and database.

No tenant, no permission, no validation beyond JSON, no audit. Run by Granian with the same number of workers.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import django
from django.conf import settings

from orkestra.settings.databases import database

entry = database(os.environ["YARDSTICK_URL"], "YARDSTICK_URL", "statement")
entry["ENGINE"] = "django.db.backends.postgresql"
del entry["BIND_MODE"]
settings.configure(
    SECRET_KEY="only-for-the-yardstick",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": entry},
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
    USE_TZ=True,
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import models
from django.urls import path
from rest_framework import generics, renderers, serializers


class Row(models.Model):
    """One inserted document."""

    data = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "yardstick"
        db_table = 'yardstick"."row'
        managed = False


class RowSerializer(serializers.ModelSerializer):
    class Meta:
        model = Row
        fields = ["id", "data", "created_at"]


class Insert(generics.CreateAPIView):
    queryset = Row.objects.all()
    serializer_class = RowSerializer
    renderer_classes = [renderers.JSONRenderer]


urlpatterns = [path("rows", Insert.as_view())]
application = get_wsgi_application()
