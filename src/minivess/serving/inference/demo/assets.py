"""The page for people: files of the package, the same for everybody, with a policy that lets nothing else run.

Source of the policy: W3C Content Security Policy Level 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI, Response

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.implements import implements
from minivess.foundation.paths import templates_folder

ADDRESS = "/demo"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
NOTICE = (
    '<p class="warning" role="note"><strong>Not for clinical use.</strong> This page shows what the service answers. '
    "Do not use it to decide about a patient.</p>"
)
_PLACE = "<!-- notice -->"
_PAGE = "page.html"
FILES: Mapping[str, str] = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "arrays.js": "text/javascript",
    "asking.js": "text/javascript",
    "drawing.js": "text/javascript",
}
"""The files of the page and their media types."""


@implements("REQ-488", "RC-204")
def with_notice(page: str) -> str:
    """The page with the notice above everything else."""
    return page.replace(_PLACE, NOTICE)


@implements("REQ-488")
def add_page(app: FastAPI) -> None:
    """Serve the page at `/demo` and its files below it.

    Raises:
        CouldNotCheckError: the installation is incomplete.
    """
    folder = templates_folder() / "service-page"
    try:
        page = with_notice((folder / _PAGE).read_text(encoding="utf-8")).encode("utf-8")
        files = {name: (folder / name).read_bytes() for name in FILES}
    except OSError:
        raise CouldNotCheckError("the page for people is incomplete", hint="install minivess again") from None
    app.add_api_route(ADDRESS, _giving(page, "text/html"), methods=["GET"], include_in_schema=False)
    for name, kind in FILES.items():
        give = _giving(files[name], kind)
        app.add_api_route(f"{ADDRESS}/{name}", give, methods=["GET"], include_in_schema=False)


def _giving(data: bytes, kind: str) -> Callable[[], Response]:
    def give() -> Response:
        headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff"}
        return Response(data, media_type=f"{kind}; charset=utf-8", headers=headers)

    return give
