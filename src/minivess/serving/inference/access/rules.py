"""What each address of the service needs: nothing, any key, or a key with a scope."""

from __future__ import annotations

from typing import Literal

from minivess.foundation.implements import implements
from minivess.records.log.callers import Scope

Need = Scope | Literal["open", "any"]
"""`open`: everybody, `any`: a key with any scope."""

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/openapi.json"})
"""Exactly these are for everybody: what the service is, and whether it works. None of them says anything of an image."""
OPEN_FOLDERS = ("/demo",)
"""The files of the page for people: they are the same for everybody."""
SCOPES: tuple[tuple[str, Scope], ...] = (
    ("/v1/segment", Scope.INFER),
    ("/v1/jobs", Scope.INFER),
    ("/v1/preview", Scope.INFER),
    ("/predict", Scope.INFER),
    ("/v1/decisions", Scope.READ),
    ("/v1/receipts", Scope.READ),
    ("/metrics", Scope.METRICS),
    ("/v1/metrics", Scope.METRICS),
)
"""The scope of each address that begins so. All others need a key, whatever its scope."""


@implements("REQ-446", "RC-183")
def need_of(path: str) -> Need:
    """What a request to a path needs. A path that is not known needs a key: what is added later is not open by oversight."""
    if path in OPEN_PATHS or any(path == one or path.startswith(f"{one}/") for one in OPEN_FOLDERS):
        return "open"
    return next((scope for start, scope in SCOPES if path == start or path.startswith(f"{start}/")), "any")
