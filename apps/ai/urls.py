from django.urls import path

from . import views

app_name = "ai"
urlpatterns = [
    path("settings/ai/", views.settings_page, name="settings"),
    path("settings/ai/switch/", views.switch, name="switch"),
    path("settings/ai/cap/", views.cap, name="cap"),
    path("tasks/<uuid:pk>/summary/", views.summary, name="summary"),
]
