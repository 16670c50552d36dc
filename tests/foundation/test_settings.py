"""Settings: four values, no secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.settings import load_settings

pytestmark = pytest.mark.verifies("SU-02")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "LINEAGE_FILE", "LINEAGE_URL", "LINEAGE_TOKEN", "MLFLOW_URI"):
        monkeypatch.delenv(f"MINIVESS_{name}", raising=False)


def test_without_a_file_everything_lies_in_the_workspace(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)

    assert settings.database_url == f"sqlite:///{tmp_path}/evidence/audit.db"
    assert settings.lineage_file == tmp_path / "evidence" / "lineage" / "events.jsonl"
    assert settings.lineage_url == ""
    assert settings.mlflow_uri == f"sqlite:///{tmp_path}/evidence/mlflow.db"
    assert list(tmp_path.iterdir()) == []


def test_the_file_counts_and_the_environment_counts_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "minivess.settings.toml").write_text(
        'database_url = "sqlite:////srv/a.db"\nlineage_file = "here/events.jsonl"\n'
        'lineage_url = "https://marquez.example"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("MINIVESS_DATABASE_URL", "sqlite:////srv/b.db")
    monkeypatch.setenv("MINIVESS_PASSPHRASE_ADA", "not a setting")
    monkeypatch.setenv("MINIVESS_LINEAGE_TOKEN", "not a setting")

    settings = load_settings(tmp_path)

    assert settings.database_url == "sqlite:////srv/b.db"
    assert settings.lineage_file == tmp_path / "here" / "events.jsonl"
    assert settings.lineage_url == "https://marquez.example"
    assert "not a setting" not in repr(settings)

    monkeypatch.setenv("MINIVESS_LINEAGE_URL", "http://localhost:5000")
    assert load_settings(tmp_path).lineage_url == "http://localhost:5000"


@pytest.mark.verifies("REQ-248")
def test_a_relative_sqlite_file_starts_at_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIVESS_DATABASE_URL", "sqlite:///here/audit.db")
    monkeypatch.setenv("MINIVESS_MLFLOW_URI", "sqlite:///c%2541d/mlflow.db")

    found = load_settings(tmp_path)

    assert found.database_url == f"sqlite:///{tmp_path}/here/audit.db"
    assert found.mlflow_uri == f"sqlite+pysqlite:///{tmp_path}/c%2541d/mlflow.db"


@pytest.mark.verifies("REQ-248")
@pytest.mark.parametrize("name", ["a[x]b", "a*b", "a?b", "[!z]xb"])
def test_the_name_of_a_folder_is_no_pattern(tmp_path: Path, name: str) -> None:
    for folder in ("axb", name):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "minivess.settings.toml").write_text(f'lineage_file = "{folder}"\n', encoding="utf-8")

    assert load_settings(tmp_path / name).lineage_file == tmp_path / name / name


@pytest.mark.verifies("REQ-248")
@pytest.mark.parametrize("name", ["DATABASE_URL", "MLFLOW_URI"])
def test_a_question_mark_in_the_path_of_a_url_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"MINIVESS_{name}", "sqlite:////srv/a?b/store.db")

    with pytest.raises(UsageError, match=name.lower()) as refused:
        load_settings(tmp_path)

    assert "%3F" in refused.value.hint


@pytest.mark.verifies("REQ-249")
@pytest.mark.parametrize("char", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\udcff"])
def test_a_path_that_is_no_line_of_text_is_refused(tmp_path: Path, char: str) -> None:
    for folder in (tmp_path / f"a{char}b", tmp_path / f"a{char}b" / "inside"):
        with pytest.raises(UsageError, match="path of the project folder") as refused:
            load_settings(folder)

        assert char not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        'database_url = "sqlite:////a.db',
        'database = "sqlite:////a.db"',
        'lineage_token = "abc"',
        "database_url = 7",
        "lineage_url = 7",
        "\xff\xfe",
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "minivess.settings.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://ada:hunter2@db/minivess"),
        ("LINEAGE_URL", "https://ada:hunter2@marquez.example"),
        ("LINEAGE_URL", "https://hunter2@marquez.example"),
        ("MLFLOW_URI", "https://ada:hunter2@mlflow.example"),
    ],
)
def test_a_password_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(f"MINIVESS_{name}", url)
    with pytest.raises(UsageError, match="password") as caught:
        load_settings(tmp_path)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_database_may_name_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIVESS_DATABASE_URL", "postgresql://ada@db/minivess")
    assert load_settings(tmp_path).database_url == "postgresql://ada@db/minivess"
