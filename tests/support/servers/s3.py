"""An S3 server on loopback (moto), for tests that send real bytes over a real connection."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

KEY, SECRET = "test-key-id", "test-secret-never-shown"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}


@dataclass(frozen=True)
class Server:
    """A running server with one bucket called `store`."""

    endpoint: str
    client: Any

    def objects(self, prefix: str) -> list[str]:
        """The keys of the objects under a prefix."""
        listed = self.client.list_objects_v2(Bucket="store", Prefix=prefix)
        return [str(item["Key"]) for item in listed.get("Contents", [])]


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server, with credentials for it in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        with tempfile.NamedTemporaryFile(suffix=".ini") as nothing, pytest.MonkeyPatch.context() as patch:
            files = {"AWS_CONFIG_FILE": nothing.name, "AWS_SHARED_CREDENTIALS_FILE": nothing.name}
            for name, value in (ENVIRONMENT | files).items():
                patch.setenv(name, value)
            host, port = server.get_host_and_port()
            endpoint = f"http://{host}:{port}"
            client = boto3.client("s3", endpoint_url=endpoint)
            client.create_bucket(Bucket="store")
            yield Server(endpoint, client)
    finally:
        server.stop()
