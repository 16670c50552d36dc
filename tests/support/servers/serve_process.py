"""`minivess serve` as a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support import projects
from tests.support.servers import served


class ServeProcess:
    """`minivess serve` in a process of its own, which is given the passphrases of log and service alone."""

    def __init__(self, project: projects.ProjectFolder, output: Path, *, python: Path | None = None) -> None:
        self._project = project
        self._output = output
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        phrases = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "INFERENCE")}
        command = [str(python or sys.executable), "-m", "minivess.cli.main", "-C", str(project.workspace.root), "serve"]
        with output.open("wb") as stream:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                env={**os.environ, **phrases},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        give_up = time.monotonic() + 120
        while not self._answers():
            assert self._process.poll() is None, self.printed
            assert time.monotonic() < give_up, self.printed
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    @property
    def printed(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def stop(self) -> None:
        """Ask it to end, as a service manager does, and wait until it has."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=120)

    def counted(self) -> dict[str, int]:
        with self._project.services() as services, served.opened(self._project, services) as serving:
            log = serving.services.log
            details = [log.details(entry.body.index) for entry in log.entries(actions={"inference.refusals"})]
        return {name: count for one in details if one is not None for name, count in one.payload["counts"].items()}
