"""`requirements.txt` with exact versions: hashes, markers, extras, included files, comments and continued lines.

Format: https://pip.pypa.io/en/stable/reference/requirements-file-format/. A marker leaves no package out, because a lock
is for every platform. The file does not state which package needs which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.reading.locked_packages import (
    COMMIT,
    PYPI,
    SHA256,
    Distribution,
    Lock,
    LockedPackage,
    LockedSource,
    linked,
    package_name,
    package_url,
    told_apart,
    without_credentials,
)

_LIMIT = 32 << 20
_FILES = 100
_COMMENT = re.compile(r"(^|\s+)#.*$")
_NAME = r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*"
_PINNED = re.compile(
    _NAME + r"\(?\s*={2,3}\s*(?P<version>[A-Za-z0-9][A-Za-z0-9._+!-]*)\s*\)?\s*(?P<marker>;.*)?", re.ASCII
)
_DIRECT = re.compile(_NAME + r"@\s*(?P<url>\S+)\s*(?P<marker>;.*)?", re.ASCII)
_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[^-]+)(-[^-]+)?-[^-]+-[^-]+-[^-]+\.whl")
_SDIST = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)\.(tar\.gz|tar\.bz2|zip)")
_EGG = re.compile(r"(?:^|&)egg=(?P<name>[A-Za-z0-9._-]+)")
_VALUE = {
    "-i": True, "--index-url": True, "--extra-index-url": True, "-f": True, "--find-links": True, "--trusted-host": True,
    "--no-binary": True, "--only-binary": True, "--use-feature": True, "-c": True, "--constraint": True,
    "--no-index": False, "--prefer-binary": False, "--require-hashes": False, "--pre": False,
}  # fmt: skip
"""Options of a whole file that change no package with an exact version, and whether a value follows."""
_OF_LINES = ("--hash", "--config-settings", "--config-setting", "--global-option")


@dataclass(frozen=True)
class _Line:
    path: Path
    number: int
    text: str

    def refused(self, reason: str, hint: str = "") -> InputError:
        return InputError(reason, path=self.path, line=self.number, hint=hint)


def read_requirements(path: Path, root: tuple[str, str]) -> Lock:
    """Read a `requirements.txt` and the files it includes.

    Args:
        path: the file.
        root: name and version of the device's own package.

    Raises:
        InputError: a file is missing, is no UTF-8 or is outside the folder; a line is unknown or names no exact version;
            or a package is pinned twice. With file, line and the package.
    """
    found: dict[tuple[str, LockedSource], tuple[_Line, set[str], bool]] = {}
    index = PYPI
    for line in _lines(path, path.parent.resolve(), set()):
        tokens = line.text.split()
        if tokens[0] in {"-i", "--index-url"} and len(tokens) > 1:
            index = without_credentials(tokens[1])
        if tokens[0].partition("=")[0] in _VALUE:
            _check_option(line, tokens)
            continue
        name, source, hashes, marked = _requirement(line, tokens, index, root[0])
        again = next((key for key in found if key[0] == name and key[1] != source), None)
        if again is not None and not (marked and found[again][2]):
            shown = f"{name} {source.version or source.place}"
            raise line.refused(f"{shown}: line {found[again][0].number} has another version of it", "keep one of them")
        kept = found.setdefault((name, source), (line, set(), marked))
        kept[1].update(hashes)
    own = {key for key in found if key[0] == package_name(root[0]) and key[1].kind in {"editable", "directory"}}
    packages = told_apart(_package(*key, hashes) for key, (_, hashes, _) in found.items() if key not in own)
    direct = tuple(sorted(package.purl for package in packages))
    return Lock(root[0], root[1], direct, linked(packages, {}, direct), path.name, complete=False)


def _lines(path: Path, folder: Path, seen: set[Path]) -> Iterator[_Line]:
    """The lines of a file and of those it includes, joined and without comments, each file once."""
    place = path.resolve()
    if place in seen:
        return
    seen.add(place)
    if len(seen) > _FILES:
        raise InputError(f"more than {_FILES} files are included", path=path)
    try:
        text = read_limited(path, limit=_LIMIT).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", path=path, hint="save it as UTF-8") from None
    for number, joined in _joined(text):
        line = _Line(path, number, _COMMENT.sub("", joined).strip())
        included = re.fullmatch(r"(?:-r|--requirement)(?:\s*=\s*|\s*)(\S.*)", line.text)
        if included is None:
            if line.text:
                yield line
            continue
        other = path.parent / included[1].strip()
        if "://" in included[1] or not other.resolve().is_relative_to(folder):
            raise line.refused(f"{included[1]} is not in the folder of the first file", "copy it into the source tree")
        yield from _lines(other, folder, seen)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that continue them, as pip joins them, and the number of the first."""
    first, parts = 1, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        comment = _COMMENT.match(line) is not None
        if not parts:
            first = number
        if line.endswith("\\") and not comment:
            parts.append(line.strip("\\"))
            continue
        parts.append(f" {line}" if comment else line)
        yield first, "".join(parts)
        parts = []
    if parts:
        yield first, "".join(parts)


def _check_option(line: _Line, tokens: list[str]) -> None:
    option, equals, _ = tokens[0].partition("=")
    most = 1 if equals or not _VALUE[option] else 2
    if len(tokens) > most or (_VALUE[option] and not equals and len(tokens) < most):
        raise line.refused(f"the option {option} has {len(tokens) - 1} values")


def _requirement(line: _Line, tokens: list[str], index: str, root: str) -> tuple[str, LockedSource, set[str], bool]:
    """Name, source, SHA-256 digests and whether a marker is there."""
    editable = tokens[0] in {"-e", "--editable"} or tokens[0].startswith("--editable=")
    if editable:
        tokens = [part for part in (*tokens[0].partition("=")[2:], *tokens[1:]) if part]
    cut = next((place for place, token in enumerate(tokens) if token.startswith("-")), len(tokens))
    text, hashes = " ".join(tokens[:cut]), _hashes(line, tokens[cut:])
    pinned = None if editable else _PINNED.fullmatch(text)
    if pinned is not None:
        source = LockedSource(pinned["version"], "registry", index, "", ())
        return package_name(pinned["name"]), source, hashes, pinned["marker"] is not None
    direct = _DIRECT.fullmatch(text)
    if direct is not None:
        name, source = _of_address(line, direct["url"], direct["name"], editable, root)
        return name, source, hashes | _hash_of(direct["url"]), direct["marker"] is not None
    if editable or "/" in text or text.endswith((".whl", ".tar.gz", ".zip")) or text.startswith("."):
        address, _, marker = text.partition(" ;")
        name, source = _of_address(line, address.strip(), "", editable, root)
        return name, source, hashes | _hash_of(address), bool(marker)
    shown = re.split(r"[\s<>=!~;\[(@]", text, maxsplit=1)[0] or text or line.text
    raise line.refused(f"{shown[:80]} has no exact version", f"write `{shown[:80]}==<version>`; `pip freeze` prints it")


def _hashes(line: _Line, options: list[str]) -> set[str]:
    found, rest = set(), list(options)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if option not in _OF_LINES:
            raise line.refused(f"the option {option} is unknown here")
        if not equals and not rest:
            raise line.refused(f"the option {option} has no value")
        value = value if equals else rest.pop(0)
        if option != "--hash":
            continue
        match = SHA256.fullmatch(value)
        if match is not None:
            found.add(match.group(1))
        elif not re.fullmatch(r"sha(384:[0-9a-f]{96}|512:[0-9a-f]{128})", value):
            raise line.refused(f"{value[:80]} is no SHA-256, SHA-384 or SHA-512")
    return found


def _hash_of(address: str) -> set[str]:
    """The SHA-256 in the fragment of an address."""
    match = re.search(r"[#&]sha256=([0-9a-f]{64})(?:&|$)", address.strip())
    return {match[1]} if match else set()


def _of_address(line: _Line, address: str, name: str, editable: bool, root: str) -> tuple[str, LockedSource]:
    """Name and source of a package that is named by a URL or a path."""
    url, _, fragment = address.partition("#")
    egg = _EGG.search(fragment)
    name = name or (egg["name"] if egg else "")
    if url.startswith("git+"):
        place, _, commit = url.removeprefix("git+").rpartition("@")
        if COMMIT.fullmatch(commit) is None:
            raise line.refused(
                f"{name or without_credentials(url)} is at no commit", "end the address with `@` and the whole commit"
            )
        return _named(line, name, address), LockedSource("", "git", without_credentials(place), commit, ())
    archive = _archive(unquote(urlsplit(url).path).rsplit("/", 1)[-1])
    if archive is not None:
        kind = "path" if "://" not in url or url.startswith("file:") else "url"
        source = LockedSource(archive[1], kind, without_credentials(url), "", ())
        return package_name(name or archive[0]), source
    if "://" in url:
        raise line.refused(f"{name or without_credentials(url)} is no archive and no git repository")
    folder = re.sub(r"\[[^\]]*\]$", "", url)
    own = not name and (line.path.parent / folder).resolve() == line.path.parent.resolve()
    kind = "editable" if editable else "directory"
    return _named(line, root if own else name or Path(folder).name, address), LockedSource("", kind, folder, "", ())


def _named(line: _Line, name: str, address: str) -> str:
    if not name:
        raise line.refused(f"{without_credentials(address)[:80]} names no package", "write `<package> @ <address>`")
    return package_name(name)


def _archive(name: str) -> tuple[str, str] | None:
    match = _WHEEL.fullmatch(name) or _SDIST.fullmatch(name)
    return (match["name"], match["version"]) if match else None


def _package(name: str, source: LockedSource, hashes: set[str]) -> LockedPackage:
    url = source.place if source.kind == "url" else ""
    whole = LockedSource(source.version, source.kind, source.place, source.commit, tuple(sorted(hashes)))
    return LockedPackage(
        name=name,
        source=whole,
        purl=package_url(name, whole),
        distributions=tuple(Distribution(url if len(hashes) == 1 else "", digest) for digest in sorted(hashes)),
    )
