"""What each answer says to browsers: load nothing from elsewhere, guess no types, tell no referrer, keep nothing.

Source: OWASP Secure Headers Project; W3C Content Security Policy Level 3.
"""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi.responses import HTMLResponse
from starlette.datastructures import MutableHeaders

from minivess.foundation.implements import implements

NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The policy of answers that are no pages."""
_BLOCK = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)
FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
TLS_ONLY = {"strict-transport-security": "max-age=31536000"}


@implements("REQ-450")
def add_headers(headers: MutableHeaders, *, tls: bool) -> None:
    """Add the headers to those of an answer. A policy that a page states itself stays."""
    for name, value in (FIXED | TLS_ONLY if tls else FIXED).items():
        headers[name] = value
    headers.setdefault("content-security-policy", NOTHING)


@implements("REQ-450")
def page(text: str) -> HTMLResponse:
    """A page, with a policy that lets its own styles and scripts run and no others.

    Args:
        text: HTML; styles and scripts in it stand between plain `<style>` and `<script>` tags.
    """
    allowed: dict[str, list[str]] = {"style": [], "script": []}
    for kind, content in _BLOCK.findall(text):
        digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
        allowed[kind].append(f"'sha256-{digest}'")
    policy = "; ".join(
        (
            "default-src 'none'",
            *(f"{kind}-src {' '.join(chain)}" for kind, found in allowed.items() if (chain := ["'self'", *found])),
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        )
    )
    return HTMLResponse(text, headers={"content-security-policy": policy})
