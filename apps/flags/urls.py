from django.urls import path

from . import views

app_name = "flags"
urlpatterns = [path("settings/flags/", views.flags, name="list")]
