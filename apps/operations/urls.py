from django.urls import path

from . import views

urlpatterns = [path("healthz/live", views.live, name="live"), path("healthz/ready", views.ready, name="ready")]
