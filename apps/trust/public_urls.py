"""Pages for anyone."""

from django.urls import path

from . import views
from .policy.views import report

urlpatterns = [
    path("", views.landing, name="landing"),
    path("security", views.security, name="security"),
    path(".well-known/security.txt", views.security_txt, name="security-txt"),
    path(".well-known/jwks.json", views.jwks, name="jwks"),
    path("csp/<slug:policy>/<slug:kind>/<slug:day>/<slug:mac>", report, name="policy-report"),
]
