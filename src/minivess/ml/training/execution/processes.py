"""Several processes that train together (ADR 53).

The process of the command starts one process for each device, and stays in charge: the processes send it what they report, it
calls listeners, log and progress, and it ends all of them as soon as one fails. Where torchrun started the processes, on one
machine or on several, process 0 is the command and hands its work to the others.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, Protocol

from minivess.foundation.errors import CouldNotCheckError, MinivessError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.training.execution.devices import DeviceChoice, fabric_of
from minivess.ml.training.execution.places import ALONE, Place, torchrun_place

_ADDRESS = "127.0.0.1"
_GRACE_S = 3.0
"""After the first failure, so long the others may say what they know; the first to speak is often not the first to fail."""
_END_S = 5.0
"""So long a process has to end after it was asked to."""


class Job[Event, Result](Protocol):
    """Work that each of the processes does. Job, events and result can be pickled."""

    def __call__(self, place: Place, report: Callable[[Event], None]) -> Result:
        """Do the work of one process; what process 0 reports reaches the command, and its result is the result."""


@implements("REQ-365", "REQ-366")
def together[Event, Result](job: Job[Event, Result], choice: DeviceChoice, *, heard: Callable[[Event], None]) -> Result:
    """Do a job in the processes of a choice of devices; a single one is this process.

    Args:
        job: an object of a module, so that another process can load it. It gets its place and what reports an event.
        choice: the devices.
        heard: called in this process, with each event of process 0.

    Raises:
        UsageError: the job cannot be sent to another process.
        CouldNotCheckError: a process died.
        MinivessError: what the job raised in a process, whichever failed first.
    """
    place = torchrun_place()
    if place is not None and place.world > 1:
        _hand_out(job, choice, place)
        return job(place, heard)
    if choice.processes == 1:
        return job(ALONE, heard)
    result: Result = _started(job, choice, heard)
    return result


@contextmanager
def leading(choice: DeviceChoice) -> Iterator[None]:
    """Around the command of process 0 of torchrun: when it ends well, the other processes end too."""
    yield
    place = torchrun_place()
    if place is not None and place.world > 1:
        _hand_out(None, choice, place)


def follow(choice: DeviceChoice) -> None:
    """What a process of torchrun other than process 0 does in place of the command: the jobs that process 0 hands out."""
    place = torchrun_place()
    if place is None or place.writes:
        raise UsageError("this process follows no other", hint="torchrun starts those that do")
    while (job := _hand_out(None, choice, place)) is not None:
        job(place, _unheard)


def _unheard(event: object) -> None:
    """Process 0 reports for all."""


def _hand_out(job: Any, choice: DeviceChoice, place: Place) -> Any:
    """Give the job of process 0 to all."""
    return fabric_of(choice, place=place).broadcast(job)


@dataclass(frozen=True)
class _Said:
    """A message of a process to the command."""

    kind: str
    """`event`, `result` or `error`."""
    value: Any
    text: str = ""


@dataclass
class _Worker:
    """A process that was started, and the end of the pipe on which it speaks."""

    process: SpawnProcess
    pipe: Connection
    error: _Said | None = None
    finished: bool = False
    silent: bool = False


def _started(job: Any, choice: DeviceChoice, heard: Callable[[Any], None]) -> Any:
    try:
        packed = pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(f"the training cannot be sent to other processes: {error}", hint="use --devices 1") from error
    from torch.distributed import TCPStore

    store = TCPStore(_ADDRESS, 0, is_master=True, wait_for_workers=False)
    context, workers = get_context("spawn"), []
    count = choice.processes
    try:
        for rank in range(count):
            receiving, sending = context.Pipe(duplex=False)
            variables = Place(rank, rank, count, count).variables(address=_ADDRESS, port=store.port)
            variables["OMP_NUM_THREADS"] = str(choice.threads)
            process = context.Process(target=_work, args=(packed, variables, sending), name=f"training-{rank}")
            process.start()
            sending.close()
            workers.append(_Worker(process, receiving))
        with _ending_well(workers):
            return _listen(workers, heard)
    finally:
        _end(workers)


@contextmanager
def _ending_well(workers: list[_Worker]) -> Iterator[None]:
    """While it is entered, the first Ctrl-C or SIGTERM is handed to the processes, which write a checkpoint and end.

    A second one ends all at once. Outside the main thread, where Python takes no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        for worker in workers:
            worker.process.terminate()

    before = {one: signal.signal(one, hear) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except BaseException as error:
        if asked and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _listen(workers: list[_Worker], heard: Callable[[Any], None]) -> Any:
    """Hear until all have ended.

    Raises:
        MinivessError: one failed.
    """
    result: Any = None
    failed_at: float | None = None
    while any(not worker.silent for worker in workers):
        left = None if failed_at is None else failed_at + _GRACE_S - time.monotonic()
        if left is not None and left <= 0:
            break
        ready = wait([worker.pipe for worker in workers if not worker.silent], timeout=left)
        for rank, worker in enumerate(workers):
            if worker.pipe not in ready:
                continue
            try:
                said: _Said = pickle.loads(worker.pipe.recv_bytes())  # noqa: S301  # a process that this one started
            except (EOFError, OSError):
                worker.silent = True
                worker.process.join(_END_S)
            else:
                if said.kind == "event":
                    heard(said.value)
                elif said.kind == "error":
                    worker.error = said
                else:
                    worker.finished = True
                    result = said.value if rank == 0 else result
            if failed_at is None and (worker.error is not None or (worker.silent and not worker.finished)):
                failed_at = time.monotonic()
    if failed_at is not None:
        raise _reason(workers)
    return result


def _reason(workers: list[_Worker]) -> BaseException:
    """The error of those that failed: a process that was killed, else an error of ours, else the first other one.

    Where one process dies, the exchange of gradients fails in the others, which may say so first.
    """
    count = len(workers)
    for rank, worker in enumerate(workers):
        if worker.silent and not worker.finished and worker.error is None:
            return _death(rank, count, worker.process.exitcode)
    said = [worker.error for worker in workers if worker.error is not None]
    ours = [one for one in said if isinstance(one.value, MinivessError)]
    first = (ours or said)[0]
    error: BaseException = first.value
    if not isinstance(error, MinivessError):
        error.add_note(first.text)
    return error


def _death(rank: int, count: int, code: int | None) -> CouldNotCheckError:
    """The sentence about a process that said nothing before its end."""
    which = f"process {rank + 1} of {count} that train together"
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return CouldNotCheckError(
            f"{which} was killed ({name}), so the others were ended too",
            hint="the system kills processes when memory runs out: see `dmesg`, and use a smaller training.batch; run "
            "minivess train again to continue",
        )
    return CouldNotCheckError(
        f"{which} ended with the status {code}, so the others were ended too", hint="its own output says why"
    )


def _end(workers: list[_Worker]) -> None:
    """End the processes that still run."""
    for worker in workers:
        if worker.process.is_alive():
            worker.process.terminate()
    until = time.monotonic() + _END_S
    for worker in workers:
        worker.process.join(max(0.1, until - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()
        worker.process.close()


def _work(packed: bytes, variables: dict[str, str], pipe: Connection) -> None:
    """The whole of a process. It has a session of its own, so that Ctrl-C reaches the command alone, which hands it on."""
    os.setsid()
    threading.Thread(target=_end_with_command, daemon=True).start()
    os.environ.update(variables)
    place = torchrun_place()
    try:
        if place is None:
            raise UsageError("the process has no place among those that train together")
        job = pickle.loads(packed)  # noqa: S301  # the command wrote it, into the pipe of this process
        report = (lambda event: _send(pipe, _Said("event", event))) if place.writes else _unheard
        result = job(place, report)
        _send(pipe, _Said("result", result if place.writes else None))
    except BaseException as error:
        _send(pipe, _Said("error", _sendable(error), traceback.format_exc()))
        raise SystemExit(1) from None
    finally:
        distributed = sys.modules.get("torch.distributed")
        if distributed is not None and distributed.is_initialized():
            with suppress(RuntimeError):  # another process is gone already
                distributed.destroy_process_group()


def _send(pipe: Connection, said: _Said) -> None:
    """Send the bytes themselves: PyTorch would send tensors as memory that ends with the process."""
    pipe.send_bytes(pickle.dumps(said))


def _sendable(error: BaseException) -> BaseException:
    """The error, or one with its words where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # made here
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_command() -> None:
    """End this process at once when the process of the command is gone, also when it was killed."""
    command = parent_process()
    if command is not None:
        command.join()
        os._exit(1)
