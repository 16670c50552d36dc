"""Puts JSON-LD contexts from the disk into the cache of roc-validator: `python ro_crate_contexts.py CACHE`.

It runs in the environment of that tool, which has the package `rocrate` with the context of RO-Crate 1.3 (CC0) besides. The
validator then runs offline: what is not in the cache is an error there.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import rocrate  # type: ignore[import-not-found]  # only in the environment of the tool
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession  # type: ignore[import-not-found]  # only in the environment of the tool
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.3/context"


class Disk(HTTPAdapter):
    """Answers with the file of the package."""

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """The file, whatever is asked for."""
        content = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
        headers = {"Content-Type": "application/ld+json"}
        body = HTTPResponse(
            body=io.BytesIO(content), status=200, headers=headers, preload_content=False, request_url=request.url
        )
        return self.build_response(request, body)


if __name__ == "__main__":
    session = CachedSession(cache_name=sys.argv[1], expire_after=-1, backend="sqlite", allowable_methods=("GET",))
    session.mount("https://", Disk())
    context = session.get(CONTEXT, headers={"Accept": "application/ld+json, application/json"}).json()
    assert context["@id"] == CONTEXT
