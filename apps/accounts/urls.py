from django.urls import path
from django.views.decorators.http import require_POST

from . import factor_policy, key_views
from . import settings_views as views
from .sso import settings_views as sso

app_name = "accounts"
urlpatterns = [
    path("settings/general/", views.general, name="general"),
    path("settings/members/", views.members, name="members"),
    path("settings/members/<uuid:pk>/", require_POST(views.member), name="member"),
    path("settings/members/<uuid:pk>/leave/", views.leave, name="leave"),
    path("settings/invitations/<uuid:pk>/", require_POST(views.withdraw_invitation), name="invitation"),
    path("settings/teams/", views.teams, name="teams"),
    path("settings/teams/<uuid:pk>/", views.team, name="team"),
    path("settings/sso/", sso.overview, name="sso"),
    path("settings/sso/add/", sso.add, name="sso_add"),
    path("settings/sso/only/", require_POST(sso.only), name="sso_only"),
    path("settings/sso/<uuid:pk>/", sso.connection, name="sso_connection"),
    path("settings/sso/domains/<uuid:pk>/", require_POST(sso.domain), name="sso_domain"),
    path("settings/security/second-factor/", factor_policy.change, name="factor_policy"),
    path("settings/roles/", views.roles, name="roles"),
    path("settings/api-keys/", key_views.api_keys, name="api-keys"),
    path("settings/api-keys/accounts/", require_POST(key_views.service_accounts), name="service-accounts"),
    path("settings/api-keys/accounts/<uuid:pk>/", require_POST(key_views.service_account), name="service-account"),
    path("settings/api-keys/<uuid:pk>/", require_POST(key_views.revoke), name="api-key"),
]
