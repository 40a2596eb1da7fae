from django.urls import path

from . import views

app_name = "audit"
urlpatterns = [
    path("settings/audit-log/", views.log, name="log"),
    path("settings/audit-log/acts/", views.acts, name="acts"),
    path("settings/audit-log/export/", views.export, name="export"),
    path("settings/audit-log/<uuid:pk>/proof/", views.proof, name="proof"),
    path("receipts/<uuid:pk>/", views.receipt, name="receipt"),
]
