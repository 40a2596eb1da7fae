from django.urls import path

from . import views

app_name = "billing"
urlpatterns = [
    path("settings/usage/", views.usage, name="usage"),
    path("settings/billing/", views.billing, name="billing"),
    path("settings/billing/buy/<slug:key>/", views.buy, name="buy"),
    path("settings/billing/portal/", views.portal, name="portal"),
]
