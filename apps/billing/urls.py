from django.urls import path

from . import views

app_name = "billing"
urlpatterns = [
    path("settings/usage/", views.usage, name="usage"),
    path("settings/billing/", views.billing, name="billing"),
]
