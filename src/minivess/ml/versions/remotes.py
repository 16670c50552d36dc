"""The remote of a project as DVC knows it, tried before anything is sent, and its troubles in words."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minivess.foundation.errors import CouldNotCheckError, MinivessError, UsageError
from minivess.foundation.implements import implements
from minivess.records.data.version import DataRemote

NAME = "minivess"
"""What the remote is called in `.dvc/config`, so that `dvc push` and `minivess data push` mean the same place."""

_REPLACED = re.compile(r"%\([^)]*\)s")
"""What ConfigObj, with which DVC reads its configuration, replaces in a value, and has no way to write as it is."""
_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with ~/.aws; nothing was lost"
_AGAIN = "start the same command again when it is: what was transferred is kept"
_TROUBLES: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"}),
        "no credentials for {}",
        _CREDENTIALS,
    ),
    (
        frozenset({"ConfigNotFound", "ConfigParseError"}),
        "the AWS configuration for {} cannot be read",
        "check AWS_CONFIG_FILE and ~/.aws",
    ),
    (
        frozenset(
            [
                "AccessDenied",
                "ExpiredToken",
                "Forbidden",
                "InvalidAccessKeyId",
                "InvalidToken",
                "SignatureDoesNotMatch",
                "401",
                "403",
                "PermissionError",
            ]
        ),
        "{} does not let these credentials in",
        _CREDENTIALS,
    ),
    (frozenset({"NoSuchBucket"}), "there is no bucket for {}", "make the bucket, or correct data.remote.url"),
    (
        frozenset({"ConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "HTTPClientError"}),
        "{} cannot be reached",
        f"check data.remote.endpoint and the network; {_AGAIN}",
    ),
)
"""What classes and codes of errors of the S3 client mean: the first that fits tells what a person reads."""


@implements("REQ-098")
def connected(repo: Any, remote: DataRemote, *, writing: bool) -> Any:
    """Tell DVC about the remote and see whether it answers.

    Args:
        repo: DVC's repository.
        remote: what the project file says.
        writing: whether something will be sent.

    Returns:
        `dvc.data_cloud.Remote`.

    Raises:
        CouldNotCheckError: it is out of reach, the bucket or folder does not exist, or nobody may enter.
        UsageError: DVC cannot keep the path of the folder in its configuration.
    """
    with reached(repo, remote):
        url = _url(repo, remote)
        wanted = {"url": url} | ({"endpointurl": remote.endpoint} if remote.endpoint else {})
        if repo.config["remote"].get(NAME) != wanted or repo.config["core"].get("remote") != NAME:
            with repo.config.edit() as config:
                config["remote"][NAME] = wanted
                config["core"]["remote"] = NAME
        if not remote.on_s3:
            _check_folder(_folder(repo, remote), writing=writing)
            return repo.cloud.get_remote(NAME)
        try:
            import dvc_s3  # noqa: F401
        except ImportError:
            raise CouldNotCheckError(
                "S3 needs an extra that is not installed", hint="pip install 'minivess[s3]'"
            ) from None
        made = repo.cloud.get_remote(NAME)
        try:
            made.fs.ls(made.path)
        except FileNotFoundError as error:
            if error.__cause__ is not None and _code(error.__cause__) == "NoSuchBucket":
                raise
        return made


@contextmanager
def reached(repo: Any, remote: DataRemote) -> Iterator[None]:
    """Whatever DVC, the S3 client or the disk complain about becomes one line with a hint, without their words.

    Raises:
        CouldNotCheckError: always in the place of a foreign error.
    """
    try:
        yield
    except MinivessError:
        raise
    except Exception as error:
        raise trouble(error, remote) from None


def trouble(error: BaseException, remote: DataRemote) -> CouldNotCheckError:
    """What a foreign error means. Its text may hold addresses or keys, so only its kind is reported."""
    chain = list(_chain(error))
    kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
    codes = {code for one in chain if (code := _code(one))}
    if not remote.on_s3 and "OSError" in kinds:
        reason = next((one.strerror for one in chain if isinstance(one, OSError) and one.strerror), "the disk refuses")
        return CouldNotCheckError(
            f"the remote folder: {reason}", hint=f"is it mounted, writable and not full? {_AGAIN}"
        )
    for signs, says, hint in _TROUBLES if remote.on_s3 else ():
        if signs & (kinds | codes):
            return CouldNotCheckError(says.format(remote.public_name), hint=hint)
    said = ", ".join(sorted(codes)) or type(error).__name__
    return CouldNotCheckError(f"the transfer with {remote.public_name} failed ({said})", hint=_AGAIN)


@implements("REQ-248")
def _url(repo: Any, remote: DataRemote) -> str:
    """The remote as `.dvc/config` names it.

    DVC reads a relative URL as relative to `.dvc/`. A folder inside the project is named so, and stays true when the
    project moves; a folder outside only if DVC cannot write its whole path.
    """
    if remote.on_s3:
        return remote.url.rstrip("/")
    from dvc.config_schema import RelPath

    folder = _folder(repo, remote)
    root = Path(repo.root_dir).resolve()
    relative = os.path.relpath(folder, root / ".dvc")
    # DVC writes a `RelPath` as a relative path
    names: dict[str, str] = {str(folder): str(folder), relative: RelPath(str(folder))}
    wanted = [relative] if folder.is_relative_to(root) else [str(folder), relative]
    name = next((one for one in wanted if one.isascii() and not _REPLACED.search(one)), None)
    if name is None or set("{}") & set(str(folder)):
        raise UsageError(
            "DVC cannot name the remote folder in its configuration, which takes neither letters beyond ASCII nor "
            "`%(…)s` nor braces",
            hint="rename the folder, or use one beside or inside the project folder",
        )
    return names[name]


def _folder(repo: Any, remote: DataRemote) -> Path:
    return (Path(repo.root_dir) / Path(remote.url).expanduser()).resolve()


def _check_folder(folder: Path, *, writing: bool) -> None:
    if not folder.is_dir():
        raise CouldNotCheckError(
            "the remote folder is not there",
            hint="mount it, or create the folder if the remote is new",
        )
    if not os.access(folder, os.R_OK | os.X_OK | (os.W_OK if writing else 0)):
        raise CouldNotCheckError("the remote folder does not let you in", hint="check its permissions")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(sys.getrecursionlimit()):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _code(error: BaseException) -> str:
    """The code of an S3 error (`botocore.exceptions.ClientError`); empty for others."""
    response = getattr(error, "response", None)
    said = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return str(said)
