from django.urls import path

from . import saved_views, views

app_name = "audit"
urlpatterns = [
    path("settings/audit-log/", views.log, name="log"),
    path("settings/audit-log/acts/", views.acts, name="acts"),
    path("settings/audit-log/verifier/", views.verifier, name="verifier"),
    path("settings/audit-log/export/", views.export, name="export"),
    path("settings/audit-log/views/", saved_views.views, name="views"),
    path("settings/audit-log/views/<uuid:pk>/", saved_views.view, name="view"),
    path("settings/audit-log/exports/", saved_views.exports, name="exports"),
    path("settings/audit-log/exports/<uuid:pk>/", saved_views.download, name="log-export"),
    path("settings/audit-log/<uuid:pk>/proof/", views.proof, name="proof"),
    path("receipts/<uuid:pk>/", views.receipt, name="receipt"),
]
