"""The packages of a Bento follow from the lock file: extras, markers, versions and digests."""

from __future__ import annotations

import pytest

from minivess.foundation.errors import InputError
from minivess.workflows.bento.requirements import requirements_of

pytestmark = pytest.mark.verifies("SU-175", "REQ-472", "RC-199")

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def package(
    name: str, version: str = "1.0", *, more: str = "", source: str = '{ registry = "https://index.example/" }'
) -> str:
    """A package with two files."""
    return f"""
[[package]]
name = "{name}"
version = "{version}"
source = {source}
sdist = {{ url = "https://index.example/{name}.tar.gz", hash = "{B}" }}
wheels = [{{ url = "https://index.example/{name}.whl", hash = "{A}" }}]
{more}
"""


def lock(*packages: str, own: str) -> bytes:
    """A lock file whose own package has some dependencies and extras."""
    root = f'[[package]]\nname = "minivess"\nversion = "0"\nsource = {{ editable = "." }}\n{own}\n'
    return ("version = 1\n" + root + "".join(packages)).encode("utf-8")


OWN = """dependencies = [{ name = "base" }]
[package.optional-dependencies]
serving = [{ name = "web", extra = ["fast"] }]
bento = [{ name = "box" }]
train = [{ name = "torch" }]
"""
WEB = package(
    "web", more='dependencies = [{ name = "deep" }]\n[package.optional-dependencies]\nfast = [{ name = "quick" }]'
)
REST = (package("base"), package("box"), package("deep"), package("quick"), package("torch"))


def names(text: str) -> list[str]:
    """The packages of a requirements file."""
    return [line.split(" ")[0] for line in text.splitlines() if not line.startswith(" ")]


def test_extras_and_what_they_need_are_pinned_in_order_and_nothing_else() -> None:
    text = requirements_of(lock(WEB, *REST, own=OWN))
    assert names(text) == ["base==1.0", "box==1.0", "deep==1.0", "quick==1.0", "web==1.0"]
    assert text.splitlines()[:3] == ["base==1.0 \\", f"    --hash={A} \\", f"    --hash={B}"]


@pytest.mark.parametrize(
    ("marker", "taken"),
    [
        ("sys_platform == 'linux'", True),
        ("sys_platform == 'win32'", False),
        ("python_full_version < '3.11'", False),
        ("python_full_version >= '3.12' and platform_machine == 'x86_64'", True),
    ],
)
def test_markers_are_judged_for_the_image_and_not_for_this_machine(marker: str, taken: bool) -> None:
    own = OWN.replace('{ name = "base" }', f'{{ name = "base", marker = "{marker}" }}')
    assert ("base==1.0" in names(requirements_of(lock(WEB, *REST, own=own)))) is taken


def test_a_version_that_is_named_is_taken() -> None:
    own = OWN.replace('{ name = "base" }', '{ name = "base", version = "2.0" }')
    assert "base==2.0" in names(requirements_of(lock(WEB, *REST, package("base", "2.0"), own=own)))


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"not toml [", "no lock file"),
        (b"version = 1\n", "no lock file"),
        (lock(WEB, *REST[1:], own=OWN), "no lock file"),
        (lock(WEB, *REST, own=OWN.replace("bento =", "other =")), "no extra bento"),
        (lock(WEB, *REST, package("base", "2.0"), own=OWN), "no lock file"),
        (lock(WEB, *REST[1:], package("base", source='{ git = "https://g.example/base#0" }'), own=OWN), "no digest"),
        (lock(WEB, *REST[1:], package("base").replace(A, "md5:0"), own=OWN), "no digest"),
        (b"\xff\xfe", "no lock file"),
    ],
)
def test_what_cannot_be_pinned_is_refused(broken: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        requirements_of(broken)
    assert caught.value.hint
