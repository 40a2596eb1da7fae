"""The account pages that are open today. Signing up is ours; allauth's own pages for it and for addresses are not mounted."""

from allauth.account import views
from allauth.mfa.base import views as second
from allauth.mfa.webauthn import views as passkeys
from django.urls import path, re_path

from . import address_views, factor_views, sign_up_views
from .one_act import ChangePasswordView, GiveUpAppView, RemovePasskeyView
from .views import SignInView, new_password, reset_password

urlpatterns = [
    path("login/", SignInView.as_view(), name="account_login"),
    path("signup/", sign_up_views.sign_up, name="account_sign_up"),
    path("signup/sent/", sign_up_views.sent, name="account_sign_up_sent"),
    path("signup/<str:word>/", sign_up_views.begin, name="account_sign_up_link"),
    path("organisation/", sign_up_views.another, name="account_organisation"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("2fa/", second.index, name="mfa_index"),
    path("2fa/authenticate/", second.authenticate, name="mfa_authenticate"),
    path("2fa/reauthenticate/", second.reauthenticate, name="mfa_reauthenticate"),
    path("2fa/totp/activate/", factor_views.AppView.as_view(), name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", GiveUpAppView.as_view(), name="mfa_deactivate_totp"),
    path("2fa/recovery-codes/", factor_views.recovery_codes, name="mfa_view_recovery_codes"),
    path("2fa/recovery-codes/generate/", factor_views.new_recovery_codes, name="mfa_generate_recovery_codes"),
    path("2fa/webauthn/", passkeys.list_webauthn, name="mfa_list_webauthn"),
    path("2fa/webauthn/add/", factor_views.PasskeyView.as_view(), name="mfa_add_webauthn"),
    path("2fa/webauthn/reauthenticate/", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("2fa/webauthn/keys/<int:pk>/remove/", RemovePasskeyView.as_view(), name="mfa_remove_webauthn"),
    path("email/", address_views.address, name="account_address"),
    path("email/<str:word>/", address_views.confirm, name="account_address_link"),
    path("logout/", views.logout, name="account_logout"),
    path("password/change/", ChangePasswordView.as_view(), name="account_change_password"),
    path("password/reset/", reset_password, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        new_password,
        name="account_reset_password_from_key",
    ),
    path("password/reset/key/done/", views.password_reset_from_key_done, name="account_reset_password_from_key_done"),
]
