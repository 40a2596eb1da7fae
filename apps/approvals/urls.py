from django.urls import path
from django.views.decorators.http import require_POST

from . import views

app_name = "approvals"
urlpatterns = [
    path("stand-in/", views.mine, name="mine"),
    path("stand-in/<uuid:pk>/end/", require_POST(views.end), name="end"),
    path("settings/standing-still/", views.stuck, name="stuck"),
    path("settings/stand-ins/", views.everybody, name="stand-ins"),
]
