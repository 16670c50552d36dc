"""The development servers: pinned, healthy, on loopback, and without a password in the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}")


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services(text: str) -> dict[str, dict[str, Any]]:
    document: dict[str, Any] = yaml.safe_load(text)
    return document["services"]


def test_the_dev_profile_has_the_four_servers(services: dict[str, dict[str, Any]]) -> None:
    assert {"postgres", "mlflow", "minio", "marquez"} <= set(services)
    assert all(service["profiles"] == ["dev"] for service in services.values())


def test_every_image_is_pinned_to_a_version(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        name, _, tag = service["image"].rpartition(":")
        assert name
        assert re.search(r"\d+\.\d+|\d{4}-\d{2}-\d{2}", tag)


def test_every_server_tells_whether_it_is_healthy(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert service["restart"] == "no" or service["healthcheck"]["test"]
        for other, wait in service.get("depends_on", {}).items():
            one_shot = services[other]["restart"] == "no"
            assert wait["condition"] == ("service_completed_successfully" if one_shot else "service_healthy")


def test_ports_are_open_on_loopback_alone_and_do_not_clash(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert all(str(port).startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_passwords_come_from_the_environment_and_have_no_default(
    text: str, services: dict[str, dict[str, Any]]
) -> None:
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    used = VARIABLE.findall(text)
    assert {name for name, _ in used} == set(example)
    assert all(rest.startswith(":?") for _, rest in used)
    assert all(value == "" for name, value in example.items() if "PASSWORD" in name)
    for service in services.values():
        for name, value in service["environment"].items():
            if re.search("PASSWORD|SECRET", name):
                assert VARIABLE.fullmatch(value)


def test_files_that_are_mounted_exist(services: dict[str, dict[str, Any]]) -> None:
    mounted = [volume for service in services.values() for volume in service.get("volumes", [])]
    local = [volume.split(":")[0] for volume in mounted if volume.startswith(".")]
    assert local
    assert all((ROOT / name).is_file() for name in local)
