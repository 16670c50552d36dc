"""The clients: one that waits, and one for `async` programs. Both run the steps of `minivess.client.calls`."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from minivess.client import calls, jobs
from minivess.client.answers import Answer, EarlierDecision, EarlierReceipt, ServedModel
from minivess.client.exchange import Ask, Collected, NoReplyError, Reply, Steps, Wait
from minivess.client.images import ImageSource
from minivess.client.jobs import Job, JobState
from minivess.client.settings import Retries, Settings, Timeouts
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

USUAL_FORMAT = "npy"


class _Common:
    """Settings of a client and its requests.

    Args:
        url: of the service, for example `https://segment.example.org`.
        key: with which the service knows the caller. It is sent to other machines over TLS alone.
        trust: a trust file (`minivess audit trust`), or its content. Without one, receipts are verified with the keys that
            they name themselves, and verdicts are LIMITED.
        timeouts: seconds that the client waits.
        retries: when a request is sent again.
        maximum_answer: bytes of an answer that are taken.
        certificates: a file with the certificates (PEM) of the authority of the service, where it is not a public one.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        trust: Trust | Path | str | None = None,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        maximum_answer: int = 1 << 30,
        certificates: Path | str | None = None,
    ) -> None:
        self.settings = Settings.of(
            url,
            key=key,
            trust=trust,
            timeouts=timeouts or Timeouts(),
            retries=retries or Retries(),
            maximum_answer=maximum_answer,
        )
        self._certificates = certificates

    def _options(self) -> dict[str, Any]:
        """Arguments of the clients of httpx: nothing is taken from the environment, and no redirect is followed."""
        times = self.settings.timeouts
        headers = {"Accept-Encoding": "identity", "User-Agent": "minivess-client"}
        if self.settings.key is not None:
            headers["Authorization"] = f"Bearer {self.settings.key}"
        return {
            "base_url": self.settings.url,
            "headers": headers,
            "timeout": httpx.Timeout(connect=times.connect, write=times.write, read=times.read, pool=times.connect),
            "verify": _trusted_certificates(self._certificates),
            "follow_redirects": False,
            "trust_env": False,
        }

    def _collected(self, response: httpx.Response) -> Collected:
        return Collected(response.headers, self.settings.maximum_answer)


def _trusted_certificates(file: Path | str | None) -> ssl.SSLContext:
    """The authorities of the machine, or those of a file.

    Raises:
        InputError: the file is missing, or has no certificates.
    """
    try:
        return ssl.create_default_context(cafile=None if file is None else str(file))
    except (OSError, ssl.SSLError):
        raise InputError("the file of certificates cannot be read", hint="pass a PEM file") from None


def _parts(ask: Ask) -> dict[str, Any]:
    """The form of a request, as httpx takes it. The name of the file is always the same."""
    if ask.file is None:
        return {}
    return {"files": {"volume": ("image", ask.file, "application/octet-stream")}, "data": dict(ask.fields)}


def _reply(response: httpx.Response, body: bytes) -> Reply:
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, body)


@implements("REQ-485")
class Client(_Common):
    """A client that waits for each answer. Use it in a `with` block, or `close` it. Safe to call from several threads."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._http = httpx.Client(**self._options())

    def segment(
        self,
        image: ImageSource,
        spacing: str | Sequence[str] | None = None,
        *,
        mask_format: str = USUAL_FORMAT,
        outputs: Sequence[str] = (),
        output_type: Literal["float16", "float32"] = "float16",
        idempotency_key: str | None = None,
    ) -> Answer:
        """Segment an image; what the service answers is verified first.

        Args:
            image: a file, the folder of a DICOM series, bytes of a file, or an array (z, y, x) or (y, x), channels last.
            spacing: voxel size with its unit in the order of the axes, for example `5 x 1 x 1 um`, where the file does not
                state it.
            mask_format: of the masks: `npy`, `rle`, `nifti`, `tiff`, `png` or `dicom-seg`.
            outputs: what the answer is to have beside the mask: `probabilities`, and `disagreement` of an ensemble.
            output_type: of their numbers.
            idempotency_key: names this request, so that sending it twice makes one entry; by default a new one.

        Raises:
            ImageRefusedError: the image is outside the intended use.
            UnprovenAnswerError: the receipt does not prove the answer.
            RequestError: the service cannot read the request.
            NotAllowedError: the service does not know the caller.
            ServiceUnavailableError: there is no answer after all attempts.
            InputError: the image cannot be read here, or the answer is malformed.
            UsageError: the array or the spacing is none.
        """
        request = calls.Request(image, spacing, mask_format, outputs, output_type, idempotency_key)
        return self._run(calls.segment(self.settings, request))

    def start(
        self,
        image: ImageSource,
        spacing: str | Sequence[str] | None = None,
        *,
        mask_format: str = USUAL_FORMAT,
        outputs: Sequence[str] = (),
        output_type: Literal["float16", "float32"] = "float16",
        idempotency_key: str | None = None,
    ) -> Job:
        """Send a long volume as a job; arguments and errors are those of `segment`."""
        request = calls.Request(image, spacing, mask_format, outputs, output_type, idempotency_key)
        return self._run(jobs.start(self.settings, request))

    def state(self, job: Job) -> JobState:
        """Where a job is, with the tiles that are done."""
        return self._run(jobs.state(self.settings, job))

    def wait(self, job: Job, *, every: float = 1.0, progress: Callable[[JobState], object] | None = None) -> Answer:
        """Wait for a job, and return its answer, verified. The service gives it once.

        Args:
            job: that was started.
            every: seconds between two looks.
            progress: hears where the job is, at each look.
        """
        return self._run(jobs.wait(self.settings, job, every=every, progress=progress))

    def cancel(self, job: Job) -> JobState:
        """End a job before its next tile. What is on the record stays."""
        return self._run(jobs.state(self.settings, job, method="DELETE"))

    def model(self) -> ServedModel:
        """What is served, and for what use."""
        return self._run(calls.model(self.settings))

    def decision(self, index: int) -> EarlierDecision:
        """What the log says of an earlier answer."""
        return self._run(calls.decision(self.settings, index))

    def receipt(self, index: int) -> EarlierReceipt:
        """The receipt of an earlier answer as of now, with its verdict."""
        return self._run(calls.receipt(self.settings, index))

    def ready(self) -> bool:
        """Whether images can be answered now."""
        try:
            return self._run(calls.ready(self.settings))
        except NoReplyError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """The client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def _run[T](self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                reply = None
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                else:
                    try:
                        reply = self._send(step)
                    except httpx.TransportError as error:
                        step = steps.throw(NoReplyError(type(error).__name__))
                        continue
                step = steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    def _send(self, ask: Ask) -> Reply:
        with self._http.stream(ask.method, ask.path, headers=dict(ask.headers), **_parts(ask)) as response:
            collected = self._collected(response)
            for chunk in response.iter_raw():
                collected.add(chunk)
            return _reply(response, collected.body)


@implements("REQ-485")
class AsyncClient(_Common):
    """The same for `async` programs. Use it in an `async with` block, or `close` it."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._http = httpx.AsyncClient(**self._options())

    async def segment(
        self,
        image: ImageSource,
        spacing: str | Sequence[str] | None = None,
        *,
        mask_format: str = USUAL_FORMAT,
        outputs: Sequence[str] = (),
        output_type: Literal["float16", "float32"] = "float16",
        idempotency_key: str | None = None,
    ) -> Answer:
        """Segment an image, as `Client.segment` does. Files are read and receipts verified between two waits."""
        request = calls.Request(image, spacing, mask_format, outputs, output_type, idempotency_key)
        return await self._run(calls.segment(self.settings, request))

    async def start(
        self,
        image: ImageSource,
        spacing: str | Sequence[str] | None = None,
        *,
        mask_format: str = USUAL_FORMAT,
        outputs: Sequence[str] = (),
        output_type: Literal["float16", "float32"] = "float16",
        idempotency_key: str | None = None,
    ) -> Job:
        """Send a long volume as a job; arguments and errors are those of `segment`."""
        request = calls.Request(image, spacing, mask_format, outputs, output_type, idempotency_key)
        return await self._run(jobs.start(self.settings, request))

    async def state(self, job: Job) -> JobState:
        """Where a job is, with the tiles that are done."""
        return await self._run(jobs.state(self.settings, job))

    async def wait(
        self, job: Job, *, every: float = 1.0, progress: Callable[[JobState], object] | None = None
    ) -> Answer:
        """Wait for a job, and return its answer, verified. The service gives it once.

        Args:
            job: that was started.
            every: seconds between two looks.
            progress: hears where the job is, at each look.
        """
        return await self._run(jobs.wait(self.settings, job, every=every, progress=progress))

    async def cancel(self, job: Job) -> JobState:
        """End a job before its next tile. What is on the record stays."""
        return await self._run(jobs.state(self.settings, job, method="DELETE"))

    async def model(self) -> ServedModel:
        """What is served, and for what use."""
        return await self._run(calls.model(self.settings))

    async def decision(self, index: int) -> EarlierDecision:
        """What the log says of an earlier answer."""
        return await self._run(calls.decision(self.settings, index))

    async def receipt(self, index: int) -> EarlierReceipt:
        """The receipt of an earlier answer as of now, with its verdict."""
        return await self._run(calls.receipt(self.settings, index))

    async def ready(self) -> bool:
        """Whether images can be answered now."""
        try:
            return await self._run(calls.ready(self.settings))
        except NoReplyError:
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """The client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def _run[T](self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                reply = None
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                else:
                    try:
                        reply = await self._send(step)
                    except httpx.TransportError as error:
                        step = steps.throw(NoReplyError(type(error).__name__))
                        continue
                step = steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _send(self, ask: Ask) -> Reply:
        async with self._http.stream(ask.method, ask.path, headers=dict(ask.headers), **_parts(ask)) as response:
            collected = self._collected(response)
            async for chunk in response.aiter_raw():
                collected.add(chunk)
            return _reply(response, collected.body)
