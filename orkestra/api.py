"""The API below /api/v1/: each room's routes on one router."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from apps.accounts import api as accounts
from apps.ai import api as ai
from apps.approvals import api as approvals
from apps.audit import api as audit
from apps.billing import api as billing
from apps.comms import api as comms
from apps.forms import api as forms
from apps.operations.streams import api as streams
from apps.trust import api as trust

ROOMS = (accounts, ai, billing, comms, audit, streams, forms, approvals, trust)
router = SimpleRouter(trailing_slash=False)
for room in ROOMS:
    for prefix, viewset, basename in room.routes:
        router.register(prefix, viewset, basename=basename)

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    *[pattern for room in ROOMS for pattern in getattr(room, "urlpatterns", [])],
    path("", include(router.urls)),
]
