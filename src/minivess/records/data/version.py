"""Versions of the data under DVC: what entries cite, and where the bytes are kept besides here."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText

DvcDigest = Annotated[str, StringConstraints(pattern=r"^md5:[0-9a-f]{32}(\.dir)?$")]
"""A digest as DVC 3 writes it: the MD5 of a file, or (`.dir`) of the listing of a folder."""


class DataVersion(Record):
    """Which version of the data everything after the sealing worked with."""

    dvc: DvcDigest
    """Of the folder that holds exactly `data/prepared` and `data/sealed`."""
    split: Digest
    """Root of the split."""


class TrainedOn(Record):
    """The data of a training run, as MLflow shows them."""

    name: ShortText
    """Of the data set."""
    dvc: DvcDigest
    split: Digest


class DataRemote(Record):
    """A second place for everything under DVC. It names no credentials: those stay in the environment."""

    url: Annotated[str, Field(min_length=1, max_length=1000)]
    """A folder (a relative one starts at the project file), or `s3://bucket/prefix`."""
    endpoint: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """HTTPS address of an S3 server other than Amazon's; plain HTTP only on this machine."""

    @property
    def on_s3(self) -> bool:
        """Whether the remote is a bucket; else it is a folder."""
        return self.url.startswith("s3://")

    @property
    def public_name(self) -> str:
        """The remote as entries and messages name it: the bucket, or that it is a folder, never where."""
        return self.url if self.on_s3 else "folder"

    @model_validator(mode="after")
    def _no_secrets(self) -> Self:
        parts = urlsplit(self.url)
        if "://" in self.url and (not self.on_s3 or not parts.netloc):
            raise ValueError("a remote is a folder or s3://bucket/prefix")
        if self.on_s3 and ("@" in parts.netloc or parts.query or parts.fragment):
            raise ValueError("a remote carries no credentials and no options: use the environment or the AWS config")
        if self.endpoint is not None:
            self._check_endpoint(self.endpoint)
        return self

    def _check_endpoint(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        if not self.on_s3:
            raise ValueError("only an s3:// remote has an endpoint")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("an endpoint is an address such as https://s3.example.org")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("an endpoint carries no credentials: use the environment or the AWS config")
        if parts.scheme == "http" and not _is_this_machine(parts.hostname):
            raise ValueError("an endpoint on another machine needs https")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
