from django.urls import path

from . import settings_views as views

app_name = "accounts"
urlpatterns = [
    path("settings/general/", views.general, name="general"),
    path("settings/members/", views.members, name="members"),
    path("settings/members/<uuid:pk>/", views.member, name="member"),
    path("settings/invitations/<uuid:pk>/", views.withdraw_invitation, name="invitation"),
    path("settings/teams/", views.teams, name="teams"),
    path("settings/teams/<uuid:pk>/", views.team, name="team"),
    path("settings/roles/", views.roles, name="roles"),
]
