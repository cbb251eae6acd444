"""A key rests encrypted in its own file, opens with its own passphrase, and is never made anew."""

import json
import stat

import pytest

from corridor import keys, typed_data

SECRET = bytes(range(1, 33))


@pytest.fixture(autouse=True)
def no_common_passphrase(monkeypatch):
    monkeypatch.delenv("CORRIDOR_PASSPHRASE", raising=False)


def test_a_key_opens_as_it_was_and_signs_for_its_address(tmp_path):
    address = keys.make_key(tmp_path / "bank", SECRET)
    assert address == keys.address(tmp_path / "bank") == keys.address_of_secret(SECRET)
    assert keys.key_of(tmp_path / "bank")() == SECRET
    digest = bytes([7]) * 32
    assert typed_data.signer_of(digest, typed_data.sign_digest(SECRET, digest)) == address


def test_a_key_is_not_made_again(tmp_path):
    first = keys.make_key(tmp_path)
    assert keys.make_key(tmp_path) == first
    assert keys.make_key(tmp_path, SECRET) == first


def test_each_key_is_another(tmp_path):
    assert keys.make_key(tmp_path / "one") != keys.make_key(tmp_path / "other")


def test_neither_file_holds_the_key_in_clear_and_only_the_owner_reads_them(tmp_path):
    keys.make_key(tmp_path, SECRET)
    for name in (keys.KEYSTORE, keys.PASSPHRASE):
        path = tmp_path / name
        assert SECRET.hex() not in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_passphrase_of_another_bank_does_not_open_the_key(tmp_path):
    keys.make_key(tmp_path / "one")
    keys.make_key(tmp_path / "other")
    (tmp_path / "one" / keys.PASSPHRASE).write_text((tmp_path / "other" / keys.PASSPHRASE).read_text())
    with pytest.raises(keys.KeyUnusable, match="does not open") as refusal:
        keys.key_of(tmp_path / "one")()
    assert refusal.value.next_step


def test_a_common_passphrase_from_the_environment_needs_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CORRIDOR_PASSPHRASE", "a passphrase for all")
    keys.make_key(tmp_path, SECRET)
    assert not (tmp_path / keys.PASSPHRASE).exists()
    assert keys.key_of(tmp_path)() == SECRET
    monkeypatch.delenv("CORRIDOR_PASSPHRASE")
    with pytest.raises(keys.KeyUnusable, match="no passphrase"):
        keys.key_of(tmp_path)()


def test_a_key_is_decrypted_when_it_is_first_needed_and_once(tmp_path):
    keys.make_key(tmp_path, SECRET)
    key = keys.key_of(tmp_path)
    assert key() == SECRET
    (tmp_path / keys.KEYSTORE).unlink()
    assert key() == SECRET


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"address": 7}'])
def test_a_keystore_that_is_missing_or_broken_is_named(tmp_path, text):
    keys.make_key(tmp_path, SECRET)
    path = tmp_path / keys.KEYSTORE
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(keys.KeyUnusable, match=keys.KEYSTORE):
        keys.address(tmp_path)
    with pytest.raises(keys.KeyUnusable, match=keys.KEYSTORE):
        keys.key_of(tmp_path)()


def test_a_keystore_is_readable_by_other_tools(tmp_path):
    """Web3 Secret Storage, version 3."""
    keys.make_key(tmp_path, SECRET)
    stored = json.loads((tmp_path / keys.KEYSTORE).read_text())
    assert (stored["version"], stored["crypto"]["kdf"]) == (3, "scrypt")
