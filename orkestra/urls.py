"""Every address of Orkestra, room by room. The gateway's table says who may enter each."""

from django.contrib import admin
from django.urls import include, path

from apps.accounts import session_views, step_up
from apps.accounts import views as accounts

urlpatterns = [
    path("", include("apps.operations.urls")),
    path("", include("apps.trust.public_urls")),
    path("", include("apps.forms.public_urls")),
    path("", include("apps.comms.doors")),
    path("api/v1/", include("orkestra.api")),
    path("ofrep/v1/", include("apps.flags.api")),
    path("account/start/", accounts.start, name="account_start"),
    path("account/again/", step_up.again, name="account_again"),
    path("account/support/leave/", accounts.leave_support, name="account_support_leave"),
    path("account/sessions/", session_views.sessions, name="account_sessions"),
    path("account/invitation/<str:word>/", accounts.invitation, name="account_invitation"),
    path("account/sso/", include("apps.accounts.sso.urls")),
    path("account/", include("apps.accounts.account_urls")),
    path("admin/login/", accounts.admin_login),
    path("admin/", admin.site.urls),
    path("t/<slug:tenant>/", include("apps.trust.urls")),
    path("t/<slug:tenant>/", include("apps.ai.urls")),
    path("t/<slug:tenant>/", include("apps.forms.urls")),
    path("t/<slug:tenant>/", include("apps.approvals.urls")),
    path("t/<slug:tenant>/", include("apps.accounts.urls")),
    path("t/<slug:tenant>/", include("apps.billing.urls")),
    path("t/<slug:tenant>/", include("apps.flags.urls")),
    path("t/<slug:tenant>/", include("apps.comms.urls")),
    path("t/<slug:tenant>/", include("apps.operations.streams.urls")),
    path("t/<slug:tenant>/", include("apps.audit.urls")),
]

handler400 = "apps.accounts.views.bad_request"
handler403 = "apps.accounts.views.forbidden"
handler404 = "apps.accounts.views.not_found"
handler429 = "apps.accounts.views.too_many"
handler500 = "apps.accounts.views.server_error"
