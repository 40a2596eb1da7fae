from django.urls import path

from . import views

urlpatterns = [
    path("", views.ask, name="account_sso"),
    path("link/", views.link, name="account_sso_link"),
    path("<uuid:pk>/", views.start, name="account_sso_start"),
    path("<uuid:pk>/callback/", views.callback, name="account_sso_callback"),
    path("<slug:slug>/", views.of_tenant, name="account_sso_tenant"),
]
