"""Settings: one model, wrong names refused with the right one, secrets never shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from hd_pipelines.settings import DEFAULT_WATCHLIST, PREFIX, Settings, UnknownSettingError, load_settings

SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """A shell without any setting, in an empty folder."""
    import os

    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def dot_env(text: str) -> None:
    Path(".env").write_text(text)


def test_without_any_setting_there_are_sound_defaults(tmp_path):
    settings = load_settings()
    assert settings.home == tmp_path / ".hd"
    assert settings.lake_root == str(tmp_path / ".hd" / "lake")
    assert settings.watchlist == DEFAULT_WATCHLIST
    assert settings.database_url is None
    assert not settings.has_vendor_credentials


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("HD_DATABASE_ULR", "HD_DATABASE_URL"),
        ("HD_HOMES", "HD_HOME"),
        ("hd_watchlst", "HD_WATCHLIST"),
        ("HD_FLAT_FILES_KEY", "HD_FLAT_FILES_KEY_ID"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_an_unknown_name_is_refused_with_the_nearest_right_one(monkeypatch, wrong, right, place):
    if place == ".env":
        dot_env(f"{wrong}=x\n")
    else:
        monkeypatch.setenv(wrong, "x")
    with pytest.raises(UnknownSettingError, match=f"{wrong} is not a setting; did you mean {right}\\?"):
        load_settings()


def test_a_name_like_none_is_refused_with_all_names(monkeypatch):
    monkeypatch.setenv("HD_QQQQQQQQ", "x")
    with pytest.raises(UnknownSettingError, match=r"known: .*HD_CHAIN_ARCHIVE, HD_DATABASE_URL, .*HD_WATCHLIST"):
        load_settings()


def test_other_peoples_variables_are_left_alone(monkeypatch):
    monkeypatch.setenv("HDF5_PLUGIN_PATH", "x")
    dot_env("UNRELATED=1\nAWS_PROFILE=x\n")
    load_settings()


def test_dot_env_is_read_and_the_environment_wins(monkeypatch):
    dot_env("HD_UI_PORT=4000\nHD_WATCHLIST=SPY, BRK.B ,SPX\n")
    assert load_settings().ui_port == 4000
    assert load_settings().watchlist == ("SPY", "BRK.B", "SPX")
    monkeypatch.setenv("HD_UI_PORT", "5000")
    assert load_settings().ui_port == 5000


@pytest.mark.parametrize("name", ["KEY_ID", "SECRET"])
def test_the_vendors_credentials_come_in_pairs(monkeypatch, name):
    monkeypatch.setenv(f"HD_FLAT_FILES_{name}", SECRET)
    missing = {"KEY_ID": "HD_FLAT_FILES_SECRET", "SECRET": "HD_FLAT_FILES_KEY_ID"}[name]
    with pytest.raises(ValidationError, match=f"{missing} is missing") as refusal:
        load_settings()
    assert SECRET not in str(refusal.value)


def test_secrets_are_in_no_representation(monkeypatch):
    for name in ("DATABASE_URL", "FLAT_FILES_KEY_ID", "FLAT_FILES_SECRET"):
        monkeypatch.setenv(f"HD_{name}", SECRET)
    settings = load_settings()
    assert settings.has_vendor_credentials
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert SECRET not in shown
    assert settings.flat_files_secret.get_secret_value() == SECRET


@pytest.mark.parametrize(("name", "value"), [("UI_PORT", "80"), ("DOWNLOAD_WORKERS", "0"), ("PG_PORT", "many")])
def test_a_value_out_of_range_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(f"HD_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        load_settings()


def test_settings_do_not_change_after_reading():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().ui_port = 4000


def test_everything_secret_is_a_secret_type():
    names = [name for name in Settings.model_fields if any(part in name for part in ("secret", "key", "url"))]
    plain = {name for name in names if SecretStr not in getattr(Settings.model_fields[name].annotation, "__args__", ())}
    assert plain == {"lake_url", "flat_files_url", "vendor_api_url"}


@pytest.mark.parametrize(
    ("name", "value"), [("HD_VENDOR_API_KEY", "geheim\u00e4"), ("HD_VENDOR_API_URL", "https://me:geheim@x")]
)
def test_a_refused_value_is_not_shown(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name) as refusal:
        load_settings()
    assert "geheim" not in str(refusal.value)


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_vendor_key_is_refused(monkeypatch, value):
    monkeypatch.setenv("HD_VENDOR_API_KEY", value)
    with pytest.raises(ValidationError, match="empty"):
        load_settings()


@given(st.lists(st.from_regex(r"[A-Z]{1,5}(\.[AB])?", fullmatch=True), min_size=1, max_size=8))
def test_a_watchlist_reads_as_it_was_written(symbols):
    assert Settings(watchlist=" , ".join(symbols), _env_file=None).watchlist == tuple(symbols)
