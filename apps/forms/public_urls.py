"""Addresses of forms that anyone may fill."""

from django.urls import path

from .views import public

urlpatterns = [
    path("f/<slug:tenant>/<slug:form>/", public.fill, name="public_form"),
    path("f/<slug:tenant>/<slug:form>/preview/", public.preview, name="public_preview"),
    path("receipt/<str:word>/", public.receipt, name="receipt"),
    path("receipt/<str:word>/signed/", public.signed, name="signed_receipt"),
]
