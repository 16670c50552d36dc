"""Lock files of every source: what the file names is read, each package once, or the line is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minivess.foundation.errors import InputError
from minivess.foundation.provenance import environment_digest, lock_file
from minivess.foundation.reading.lock_file import Lock, Use, read_lock, read_sources
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-23")

SHA, COMMIT = "0123456789abcdef" * 4, "0123456789" * 4
UV = f"""\
version = 1

[manifest]
members = ["pumpseg", "tools"]

[[package]]
name = "pumpseg"
version = "1.2.0"
source = {{ editable = "." }}
dependencies = [
    {{ name = "algo" }}, {{ name = "wheelonly" }}, {{ name = "local" }}, {{ name = "tools" }},
    {{ name = "numpy", version = "1.26.4", source = {{ registry = "https://pypi.org/simple" }} }},
    {{ name = "numpy", version = "2.2.0", source = {{ registry = "https://pypi.org/simple" }} }},
]

[package.dev-dependencies]
dev = [{{ name = "archived" }}]

[[package]]
name = "tools"
source = {{ editable = "tools" }}
dependencies = [{{ name = "deeper" }}]

[[package]]
name = "algo"
version = "1.0"
source = {{ git = "https://token:secret@github.com/x/algo?rev=main#{COMMIT}" }}

[[package]]
name = "wheelonly"
version = "2.0"
source = {{ url = "https://user:secret@example.org/wheelonly-2.0-py3-none-any.whl" }}
wheels = [{{ url = "https://user:secret@example.org/wheelonly-2.0-py3-none-any.whl", hash = "sha256:{SHA}" }}]

[[package]]
name = "archived"
version = "3.0"
source = {{ path = "vendor/archived-3.0.tar.gz" }}
sdist = {{ hash = "sha256:{SHA}" }}

[[package]]
name = "local"
source = {{ directory = "../local" }}

[[package]]
name = "deeper"
version = "1"
source = {{ registry = "https://pypi.org/simple" }}
sdist = {{ url = "https://files.example/deeper-1.tar.gz", hash = "sha256:{SHA}" }}

[[package]]
name = "numpy"
version = "1.26.4"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [{{ url = "https://files.example/numpy-1.whl", hash = "sha256:{SHA}" }}]

[[package]]
name = "numpy"
version = "2.2.0"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [{{ url = "https://files.example/numpy-2.whl", hash = "sha256:{SHA}" }}]
"""


def _read(folder: Path, name: str, text: str, member: str = ".") -> Lock:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_lock(path, member)


@pytest.mark.verifies("REQ-262")
class TestUv:
    """Packages from git, addresses, archives and folders, forks of versions, and workspaces."""

    def test_every_kind_of_source_is_read(self, tmp_path: Path) -> None:
        lock = _read(tmp_path, "uv.lock", UV)
        found = {
            f"{one.name} {one.shown_version}": (one.source.kind, one.source.fixed_by, one.use) for one in lock.packages
        }
        assert (lock.root, lock.root_version) == ("pumpseg", "1.2.0")
        assert found == {
            "algo 1.0": ("git", f"commit {COMMIT}", Use.RUNTIME),
            "archived 3.0": ("path", "SHA-256", Use.DEVELOPMENT),
            "deeper 1": ("registry", "SHA-256", Use.RUNTIME),
            "local not fixed": ("directory", "no digest: a folder outside the source tree", Use.RUNTIME),
            "numpy 1.26.4": ("registry", "SHA-256", Use.RUNTIME),
            "numpy 2.2.0": ("registry", "SHA-256", Use.RUNTIME),
            "tools not fixed": ("editable", "the source tree", Use.RUNTIME),
            "wheelonly 2.0": ("url", "SHA-256", Use.RUNTIME),
        }
        assert next(one for one in lock.packages if one.name == "deeper").required_by == ("tools",)

    def test_credentials_stay_in_the_lock_file(self, tmp_path: Path) -> None:
        lock = _read(tmp_path, "uv.lock", UV)
        assert "secret" not in repr(lock)
        assert "secret" not in repr(read_sources(tmp_path / "uv.lock"))

    def test_a_member_of_a_workspace_is_the_root_of_its_folder(self, tmp_path: Path) -> None:
        lock = _read(tmp_path, "uv.lock", UV, member="tools")
        assert lock.root == "tools"
        assert [one.name for one in lock.packages if one.use is Use.RUNTIME] == ["deeper"]

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            (
                'editable = "."',
                'editable = "app"',
                "2 root packages where one is expected: pumpseg (app), tools (tools)",
            ),
            ("git = ", "cloud = ", "algo has a source of an unknown kind: cloud"),
            ('{ name = "deeper" }', '{ name = "gone" }', "gone is needed, and the file has no such package"),
            ('version = "1.26.4"\nsource', 'version = "2.2.0"\nsource', "numpy 2.2.0 is there twice"),
        ],
    )
    def test_what_cannot_be_resolved_is_named(self, tmp_path: Path, old: str, new: str, words: str) -> None:
        assert old in UV
        with pytest.raises(InputError) as caught:
            _read(tmp_path, "uv.lock", UV.replace(old, new))
        assert words in str(caught.value)

    @settings(max_examples=30)
    @given(st.data())
    def test_no_package_of_the_file_is_lost(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        names = data.draw(st.lists(st.sampled_from("abcde"), min_size=1, max_size=8))
        places = {
            "registry": lambda n: "https://pypi.org/simple",
            "git": lambda n: f"https://git.example/{n}#{n:040x}",
            "url": lambda n: f"https://files.example/{n}.whl",
            "directory": lambda n: f"libs/{n}",
        }
        tables, needed = [], []
        for number, name in enumerate(names):
            kind = data.draw(st.sampled_from(sorted(places)))
            source = f'source = {{ {kind} = "{places[kind](number)}" }}'
            tables.append(
                f'[[package]]\nname = "{name}"\nversion = "{number}"\n{source}\nsdist = {{ hash = "sha256:{SHA}" }}\n'
            )
            needed.append(f'{{ name = "{name}", version = "{number}" }}')
        root = f'[[package]]\nname = "z"\nsource = {{ virtual = "." }}\ndependencies = [{", ".join(needed)}]\n'
        lock = _read(tmp_path_factory.mktemp("uv"), "uv.lock", "\n".join([root, *tables]))
        assert sorted((one.name, one.version) for one in lock.packages) == sorted(
            (n, str(k)) for k, n in enumerate(names)
        )
        assert len({one.purl for one in lock.packages}) == len(names) == len(lock.direct)


@pytest.mark.verifies("REQ-263")
class TestRequirements:
    """pip's format with exact versions."""

    def test_the_format_of_pip(self, tmp_path: Path) -> None:
        (tmp_path / "more.txt").write_text("-r requirements.txt\ndeep==1.0 # via x\n", encoding="utf-8")
        text = (
            "\ufeff# made by pip-compile\n--index-url https://user:secret@index.example/simple\n--require-hashes\n\n"
            "Click[extra, more]==8.3.0 ; python_version >= '3.8' \\\n"
            f"    --hash=sha256:{SHA} \\\n    --hash sha256:{SHA[::-1]}\n    # via pumpseg\n"
            f"algo @ git+https://token@github.com/x/algo@{COMMIT}#subdirectory=a\n"
            f"https://files.example/wheel_only-2.0-py3-none-any.whl#sha256={SHA}\n"
            "./vendor/archived-3.0.tar.gz\n-e .\n-e ./tools\n-r more.txt\n"
            "two==1.0 ; sys_platform == 'win32'\ntwo==2.0 ; sys_platform != 'win32'\n"
        )
        (tmp_path / "pyproject.toml").write_text('[project]\nname = "pumpseg"\nversion = "1.2"\n', encoding="utf-8")
        lock = _read(tmp_path, "requirements.txt", text.replace("\n", "\r\n"))
        assert (lock.root, lock.root_version, lock.complete) == ("pumpseg", "1.2", False)
        assert [(one.name, one.shown_version, one.source.kind, one.source.fixed_by) for one in lock.packages] == [
            ("algo", COMMIT, "git", f"commit {COMMIT}"),
            ("archived", "3.0", "path", "no digest: its address alone"),
            ("click", "8.3.0", "registry", "SHA-256"),
            ("deep", "1.0", "registry", "no digest: its version alone"),
            ("tools", "not fixed", "editable", "the source tree"),
            ("two", "1.0", "registry", "no digest: its version alone"),
            ("two", "2.0", "registry", "no digest: its version alone"),
            ("wheel-only", "2.0", "url", "SHA-256"),
        ]
        assert "secret" not in repr(lock)
        assert "token" not in repr(lock)

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("click", "requirements.txt:2: click has no exact version"),
            ("click>=8", "click has no exact version"),
            ("click==8.*", "click has no exact version"),
            ("click==8.3,>=8", "click has no exact version"),
            ("click[extra] ; python_version > '3'", "click has no exact version"),
            (f"click<9 --hash=sha256:{SHA}", "click has no exact version"),
            ("click==8.3.0 --hash=sha256:00", "sha256:00 is no SHA-256"),
            ("click==8.3.0 --hash=md5:00", "md5:00 is no SHA-256"),
            ("click==8.3.0 --hash", "--hash has no value"),
            ("click==8.3.0 --unknown=1", "the option --unknown is unknown here"),
            ("--unknown", "the option --unknown is unknown here"),
            ("git+https://github.com/x/algo@main#egg=algo", "algo is at no commit"),
            (f"git+https://github.com/x/algo@{COMMIT}", "names no package"),
            ("algo @ https://example.org/", "algo is no archive"),
            ("-r ../other.txt", "../other.txt is not in the folder"),
            ("-r https://example.org/r.txt", "is not in the folder"),
            ("-r gone.txt", "gone.txt: no such file"),
            ("first==2.0", "first 2.0: line 1 has another version of it"),
            ("--index-url", "the option --index-url has 0 values"),
        ],
    )
    def test_what_is_not_exact_is_refused_by_name(self, tmp_path: Path, line: str, words: str) -> None:
        with pytest.raises(InputError) as caught:
            _read(tmp_path, "requirements.txt", f"first==1.0\n{line}\n")
        assert words in str(caught.value)

    @settings(max_examples=40)
    @given(st.data())
    def test_each_way_to_write_a_line_gives_the_same(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        digest = st.integers(0, 2**256 - 1).map("{:064x}".format)
        pins = data.draw(
            st.dictionaries(
                st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
                st.tuples(
                    st.from_regex(r"[0-9]{1,2}(\.[0-9]){0,2}(rc1|\.post1|\+cu12)?", fullmatch=True),
                    st.sets(digest, max_size=2),
                ),
                min_size=1,
                max_size=4,
            )
        )
        pick = lambda *choices: data.draw(st.sampled_from(choices))  # noqa: E731
        lines = []
        for name, (version, hashes) in pins.items():
            parts = [f"{pick(name, name.upper())}{pick('', '[x]', ' [x, y]')}{pick('==', ' == ', '===')}{version}"]
            parts[0] += pick("", " ; python_version > '3'", ";sys_platform=='win32'")
            for one in sorted(hashes):
                parts.append(pick("--hash=", "--hash ") + f"sha256:{one}")
            lines.append(
                pick(" \\\n    ", " ", "  \\\n").join(parts) + pick("", "  # why", "\n    # via other", "\n\n")
            )
        text = pick("\n", "\r\n").join(("\n".join(lines) + pick("", "\n")).split("\n"))
        lock = _read(tmp_path_factory.mktemp("pip"), "requirements.txt", text)
        assert {one.name: (one.version, set(one.source.sha256)) for one in lock.packages} == pins


def _cyclonedx(**changes: Any) -> str:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "metadata": {"component": {"type": "application", "name": "pump", "version": "7", "bom-ref": "pump"}},
        "components": [
            {
                "type": "library",
                "name": "openjpeg",
                "version": "2.5.0",
                "bom-ref": "c1",
                "purl": "pkg:deb/debian/openjpeg@2.5.0",
                "hashes": [{"alg": "SHA-256", "content": SHA}],
                "supplier": {"name": "Debian"},
                "licenses": [{"license": {"id": "BSD-2-Clause"}}],
                "components": [{"type": "library", "name": "inner", "version": "1", "bom-ref": "c2"}],
            },
            {
                "type": "library",
                "group": "@babel",
                "name": "core",
                "version": "7.1",
                "bom-ref": "c3",
                "scope": "excluded",
            },
            {"type": "machine-learning-model", "name": "weights", "bom-ref": "c4"},
        ],
        "dependencies": [{"ref": "pump", "dependsOn": ["c1"]}, {"ref": "c1", "dependsOn": ["c2"]}],
    }
    return json.dumps(document | changes)


def _spdx(**changes: Any) -> str:
    document = {
        "spdxVersion": "SPDX-2.3",
        "packages": [
            {"SPDXID": "SPDXRef-root", "name": "pump", "versionInfo": "7"},
            {
                "SPDXID": "SPDXRef-a",
                "name": "Click_Lib",
                "versionInfo": "8.3.0",
                "supplier": "Organization: Pallets",
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "BSD-3-Clause",
                "downloadLocation": "https://files.example/click.tar.gz",
                "checksums": [
                    {"algorithm": "SHA1", "checksumValue": "00"},
                    {"algorithm": "SHA256", "checksumValue": SHA},
                ],
                "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:pypi/click-lib@8.3.0"}],
            },
            {"SPDXID": "SPDXRef-b", "name": "pytest", "versionInfo": "9"},
        ],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-root",
            },
            {"spdxElementId": "SPDXRef-root", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "SPDXRef-a"},
            {
                "spdxElementId": "SPDXRef-b",
                "relationshipType": "TEST_DEPENDENCY_OF",
                "relatedSpdxElement": "SPDXRef-root",
            },
        ],
    }
    return json.dumps(document | changes)


@pytest.mark.verifies("REQ-263")
class TestBills:
    """A bill of materials of another tool as a lock."""

    def test_cyclonedx(self, tmp_path: Path) -> None:
        lock = _read(tmp_path, "bom.json", _cyclonedx())
        assert (lock.root, lock.root_version) == ("pump", "7")
        assert [(one.name, one.version, one.use, one.direct, one.required_by) for one in lock.packages] == [
            ("@babel/core", "7.1", Use.DEVELOPMENT, False, ()),
            ("inner", "1", Use.RUNTIME, False, ("openjpeg",)),
            ("openjpeg", "2.5.0", Use.RUNTIME, True, ()),
        ]
        found = lock.packages[2]
        assert (found.supplier, found.licence, found.source.sha256) == ("Debian", "BSD-2-Clause", (SHA,))

    def test_spdx(self, tmp_path: Path) -> None:
        lock = _read(tmp_path, "sbom.spdx.json", _spdx())
        assert (lock.root, lock.root_version) == ("pump", "7")
        assert [(one.name, one.version, one.use, one.direct) for one in lock.packages] == [
            ("click-lib", "8.3.0", Use.RUNTIME, True),
            ("pytest", "9", Use.DEVELOPMENT, True),
        ]
        found = lock.packages[0]
        assert (found.supplier, found.licence, found.source.sha256) == ("Pallets", "BSD-3-Clause", (SHA,))

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("bom.json", "{}", "not a bill of materials"),
            ("bom.json", _cyclonedx(specVersion="2.0"), "specVersion"),
            ("bom.json", _cyclonedx(components=[{"type": "library", "name": "x"}]), "x has no version"),
            (
                "bom.json",
                _cyclonedx(components=[{"type": "library", "name": "x", "version": "1"}] * 2),
                "x 1 is there twice",
            ),
            (
                "bom.json",
                _cyclonedx(components=[{"type": "library", "name": "x", "version": "1", "purl": "x"}]),
                "none: x",
            ),
            ("sbom.spdx.json", _spdx(spdxVersion="SPDX-3.0"), "spdxVersion"),
            ("sbom.spdx.json", _spdx(packages=[{"SPDXID": "a", "name": "x"}]), "x has no version"),
            ("sbom.spdx.json", "[]", "not a bill of materials"),
        ],
    )
    def test_what_is_malformed_is_named(self, tmp_path: Path, name: str, text: str, words: str) -> None:
        with pytest.raises(InputError) as caught:
            _read(tmp_path, name, text)
        assert words in str(caught.value)


@pytest.mark.verifies("REQ-263")
def test_the_lock_of_a_tree_is_the_first_file_of_the_table(tmp_path: Path) -> None:
    assert lock_file(tmp_path) is None
    digests = []
    for name in ("sbom.spdx.json", "sbom.cdx.json", "bom.json", "requirements.txt", "uv.lock"):
        (tmp_path / name).write_text(name, encoding="utf-8")
        found = lock_file(tmp_path)
        assert found is not None
        assert found.name == name
        digests.append(environment_digest(tmp_path))
    assert len(set(digests)) == 5
