"""Stored secrets: encrypted, bound to their purpose, and readable through a change of keys."""

from __future__ import annotations

import pytest

from apps.tenants import encryption


@pytest.fixture(autouse=True)
def _keys(settings):
    settings.ENCRYPTION_KEY_FILE = ""
    settings.ENCRYPTION_KEYS = "first-key"


def test_a_secret_comes_back_and_stands_nowhere_in_what_is_stored():
    stored = encryption.seal("totp", "JBSWY3DPEHPK3PXP")
    assert "JBSWY3DPEHPK3PXP" not in stored
    assert encryption.unseal("totp", stored) == "JBSWY3DPEHPK3PXP"
    assert encryption.seal("totp", "JBSWY3DPEHPK3PXP") != stored


def test_a_secret_of_one_kind_cannot_stand_in_for_another():
    with pytest.raises(encryption.Unreadable):
        encryption.unseal("sso", encryption.seal("totp", "x"))


@pytest.mark.parametrize("at", [4, 25, -3])
def test_a_changed_secret_is_refused(at):
    stored = encryption.seal("totp", "a secret")
    other = "A" if stored[at] != "A" else "B"
    changed = stored[:at] + other + (stored[at + 1 :] if at != -1 else "")
    with pytest.raises(encryption.Unreadable):
        encryption.unseal("totp", changed)


@pytest.mark.parametrize("text", ["", "plain", "v1:a", "v1::", "v2:0011223344556677:AAAA", "gAAAAABk"])
def test_what_was_never_encrypted_is_not_taken_for_a_secret(text):
    with pytest.raises(encryption.Unreadable):
        encryption.unseal("totp", text)


def test_a_new_key_encrypts_and_the_old_one_still_reads(settings):
    stored = encryption.seal("totp", "kept")
    settings.ENCRYPTION_KEYS = "second-key, first-key"
    assert encryption.unseal("totp", stored) == "kept"
    assert not encryption.is_current(stored)
    again = encryption.seal("totp", "kept")
    assert encryption.is_current(again)
    settings.ENCRYPTION_KEYS = "second-key"
    assert encryption.unseal("totp", again) == "kept"
    with pytest.raises(encryption.Unreadable):
        encryption.unseal("totp", stored)


def test_a_running_process_sees_a_key_that_another_put_into_the_file(settings, tmp_path):
    file = tmp_path / "encryption"
    file.write_text("first-key\n")
    settings.ENCRYPTION_KEY_FILE = str(file)
    stored = encryption.seal("totp", "kept")
    file.write_text("second-key,first-key\n")
    assert encryption.unseal("totp", stored) == "kept"
    assert not encryption.is_current(stored)
