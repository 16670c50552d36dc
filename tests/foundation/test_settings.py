"""Settings: three values, no secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.settings import load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "LINEAGE_FILE", "MLFLOW_URI"):
        monkeypatch.delenv(f"MINIVESS_{name}", raising=False)


def test_without_a_file_everything_lies_in_the_workspace(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)

    assert settings.database_url == f"sqlite:///{tmp_path}/evidence/audit.db"
    assert settings.lineage_file == tmp_path / "evidence" / "lineage" / "events.jsonl"
    assert settings.mlflow_uri == f"sqlite:///{tmp_path}/evidence/mlflow.db"
    assert list(tmp_path.iterdir()) == []


def test_the_file_counts_and_the_environment_counts_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "minivess.settings.toml").write_text(
        'database_url = "sqlite:////srv/a.db"\nlineage_file = "here/events.jsonl"\n', encoding="utf-8"
    )
    monkeypatch.setenv("MINIVESS_DATABASE_URL", "sqlite:////srv/b.db")
    monkeypatch.setenv("MINIVESS_PASSPHRASE_ADA", "not a setting")

    settings = load_settings(tmp_path)

    assert settings.database_url == "sqlite:////srv/b.db"
    assert settings.lineage_file == tmp_path / "here" / "events.jsonl"
    assert "not a setting" not in repr(settings)


@pytest.mark.parametrize(
    "text", ['database_url = "sqlite:////a.db', 'database = "sqlite:////a.db"', "database_url = 7", "\xff\xfe"]
)
def test_a_malformed_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "minivess.settings.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError):
        load_settings(tmp_path)


def test_a_password_is_refused_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIVESS_DATABASE_URL", "postgresql://ada:hunter2@db/minivess")
    with pytest.raises(UsageError, match="password") as caught:
        load_settings(tmp_path)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
