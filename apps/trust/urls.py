from django.urls import path

from . import views

app_name = "trust"
urlpatterns = [
    path("", views.home, name="home"),
    path("settings/security/", views.security_settings, name="security"),
]
