"""The two services of a Bento: the HTTP interface, and the model behind it.

The HTTP interface is the FastAPI application of `minivess serve`, mounted whole: every path that it has is answered by the
same functions. BentoML itself answers `/healthz`, `/livez`, `/readyz`, `/metrics` and `/schema.json`. The model runs in
a process of its own, whose only caller is the interface; BentoML joins what waits for it to batches, and fits their size to
the time that they take.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.serving.bento import facts
from minivess.serving.bento.opening import opened_engine
from minivess.serving.bento.remote_model import BentoModel
from minivess.serving.inference.app import create_app

BATCH, WAIT_MS = 8, 60_000
"""Most requests of a batch, and the longest time that one waits before it is given up."""
PLACES = {2: BATCH, 3: 4}
"""Images in work at the same time, by their axes: a batch of pictures; fewer volumes, which take memory."""
METRICS_AT = "/v1/metrics"
"""`/metrics` is BentoML's own."""
_SECONDS = 3600
"""The longest time of a request. The application has its own, shorter limit for what clients send."""
_LOGGING = {"access": {"enabled": False}}


class Mounted:
    """The application, which exists once the service was opened."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the application."""
        if self.app is None:  # pragma: no cover - BentoML takes no requests before
            raise RuntimeError("the service was not opened")
        await self.app(scope, receive, send)


MOUNTED = Mounted()


@bentoml.service(name="minivess-model", workers=1, traffic={"timeout": _SECONDS}, logging=_LOGGING)
class ModelService:
    """The model, in a process of its own."""

    def __init__(self) -> None:
        folder = facts.bento_folder()
        self._model = BentoModel(facts.model_folder(folder), facts.read_facts(folder).model)

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=WAIT_MS)
    @implements("REQ-473")
    def predict(self, batch: list[Any]) -> list[Any]:
        """Answer what several requests ask for."""
        return [tuple(one) for one in self._model.answer_all(batch)]


@bentoml.asgi_app(MOUNTED, path="/")
@bentoml.service(name="minivess", workers=1, traffic={"timeout": _SECONDS}, logging=_LOGGING)
class InferenceInterface:
    """The HTTP interface of `minivess serve`: each answer is on the record before it is given."""

    model = bentoml.depends(ModelService)

    def __init__(self) -> None:
        facts.check_untracked()
        self._open = AsyncExitStack()
        stated = facts.read_facts(facts.bento_folder())
        self._engine, watched = self._open.enter_context(opened_engine(self.model, stated))
        places = PLACES[len(self._engine.model.task.axes)]
        made = create_app(self._engine, workers=places, exposure=facts.exposure())
        self._app = watched.attach(made, metrics_at=METRICS_AT)
        MOUNTED.app = self._app

    @bentoml.on_startup
    async def begin(self) -> None:
        """Begin what the application does beside requests."""
        await self._open.enter_async_context(self._app.router.lifespan_context(self._app))

    @bentoml.on_shutdown
    async def end(self) -> None:
        """Anchor what was answered, and close the logs."""
        await self._open.aclose()
        MOUNTED.app = None

    @implements("REQ-471")
    def __is_ready__(self) -> bool:
        """Whether the serving log can be read, so that images can be answered."""
        try:
            self._engine.check_ready()
        except MinivessError:
            return False
        return True
