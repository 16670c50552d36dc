"""Walk through the page for people in Chromium, at 1400 and 400 px, light and dark, with a volume and with a picture.

    uv run python benchmarks/service_page.py                     (the checks)
    uv run python benchmarks/service_page.py --pictures FOLDER   (and a picture of each step)

The service is real, on a toy model. Chromium is driven through a pipe (Chrome DevTools Protocol), without any library. The
walk fails when the browser reports an error or a breach of the page's policy, when the page is wider than the window, and
when the canvas does not show the mask of the answer.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support import sample_projects
from tests.support.builders import image_files
from tests.support.servers import loopback, served, toy_models

_SECONDS = 120
SIZES = ((1400, False), (400, False), (1400, True))
SPACING = "2 x 0.8 x 0.8 mm"


class Browser:
    """One page of a Chromium without a window."""

    def __init__(self, profile: Path) -> None:
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if found is None:
            raise SystemExit("no Chromium here")
        reading, to_browser = os.pipe()
        from_browser, writing = os.pipe()
        command = f'exec "{found}" --headless --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-pipe'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", f'{command} --user-data-dir="{profile}" about:blank 3<&{reading} 4>&{writing}'],
            pass_fds=(reading, writing),
            stderr=subprocess.DEVNULL,
        )
        os.close(reading)
        os.close(writing)
        self._out = os.fdopen(to_browser, "wb", buffering=0)
        self._in = os.fdopen(from_browser, "rb")
        self._numbers = itertools.count(1)
        self._session: dict[str, str] = {}
        self.said: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, and wait for its result. What the page reports meanwhile is kept in `said`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            reply = json.loads(self._read())
            if reply.get("method") == "Runtime.exceptionThrown":
                self.said.append(str(reply["params"]["exceptionDetails"].get("exception", {}).get("description")))
            if reply.get("method") == "Log.entryAdded" and reply["params"]["entry"]["level"] == "error":
                self.said.append(reply["params"]["entry"]["text"])
            if reply.get("id") == number:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                result: dict[str, Any] = reply["result"]
                return result

    def _read(self) -> bytes:
        found = bytearray()
        while (one := self._in.read(1)) != b"\0":
            if not one:
                raise RuntimeError("the browser ended")
            found += one
        return bytes(found)

    def value(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)["result"].get(
            "value"
        )

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        give_up = time.monotonic() + _SECONDS
        while not self.value(expression):
            if time.monotonic() > give_up:
                raise RuntimeError(f"not true in {_SECONDS} s: {expression}")
            time.sleep(0.1)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file, as a person does."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def picture(self, path: Path) -> None:
        """Write the whole page as PNG."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait()


COVERED = """
(() => {
  const canvas = document.querySelector("#planes canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    const colour = data.slice(i, i + 3);
    if (Math.max(...colour) - Math.min(...colour) > 12) count += 1;
  }
  return count / (canvas.width * canvas.height);
})()
"""
"""The share of the first canvas that has a colour: over a grey image, that is the mask."""

STRETCHED = """
[...document.querySelectorAll("#planes canvas")].map((canvas, axis) => {
  const box = canvas.getBoundingClientRect();
  const sides = [[0.8, 0.8], [2, 0.8], [2, 0.8]][axis];
  const steps = document.querySelectorAll("#planes canvas").length === 1 ? [1, 1] : sides;
  if (getComputedStyle(canvas).objectFit !== "fill") return 0;
  return (box.height / canvas.height / steps[0]) / (box.width / canvas.width / steps[1]);
})
"""
"""Height by width of a voxel in each plane, as shown, by what its spacing says: 1 is right."""
PRESS = "document.querySelector('#layers input[value=\"%s\"]').click()"


@contextmanager
def services(folder: Path) -> Iterator[dict[str, tuple[str, Path, str]]]:
    """The address, an image and its spacing for each kind of model."""
    project = sample_projects.servable().copy_to(folder / "project")
    with served.running(project) as service:
        tasks = {"volume": toy_models.TWO_CLASSES, "picture": toy_models.COLOUR_PICTURES}
        with (
            toy_models.serving(service, tasks["volume"]) as volumes,
            toy_models.serving(service, tasks["picture"]) as pictures,
            loopback.listening(volumes.client.app) as first,
            loopback.listening(pictures.client.app) as second,
        ):
            stack, picture = folder / "stack.npy", folder / "picture.png"
            stack.write_bytes(served.npy(toy_models.image(tasks["volume"], 7)))
            colours = np.clip(toy_models.image(tasks["picture"], 7), 0, 255).round().astype(np.uint8)
            picture.write_bytes(image_files.png(colours))
            yield {"volume": (first, stack, SPACING), "picture": (second, picture, "")}


def walk(
    browser: Browser, kind: str, at: tuple[str, Path, str], size: tuple[int, bool], pictures: Path | None
) -> list[str]:
    """Use the page once; gives what is wrong."""
    (address, image, spacing), (width, dark) = at, size
    name = f"{kind}-{width}{'-dark' if dark else ''}"
    browser.said.clear()
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.ask("Emulation.setEmulatedMedia", features=scheme)
    browser.ask("Page.navigate", url=f"{address}/demo")
    browser.wait_for("document.getElementById('statement')?.textContent.length > 0")

    def shoot(step: str) -> None:
        if pictures is not None:
            browser.picture(pictures / f"{name}-{step}.png")

    shoot("start")
    bad = image.with_name("broken.png")
    bad.write_bytes(b"no image")
    browser.choose_file("#file", bad)
    browser.value("document.getElementById('send').click()")
    browser.wait_for("!document.getElementById('problem').hidden")
    shoot("problem")
    wrong = [] if browser.value("document.getElementById('problem-hint').textContent.length > 20") else ["no hint"]
    expected = [one for one in browser.said if "400" in one]  # the browser reports each status of 400
    browser.said[:] = [one for one in browser.said if one not in expected]
    browser.choose_file("#file", image)
    browser.value(f"document.getElementById('spacing').value = {json.dumps(spacing)}")
    browser.value("document.getElementById('probabilities').checked = true")
    browser.value("document.getElementById('send').click()")
    browser.wait_for("!document.getElementById('answer').hidden && document.getElementById('progress').hidden")
    shoot("answer")
    wide = browser.value("document.documentElement.scrollWidth")
    wrong += [f"{wide} px wide"] if wide > width else []
    layers = browser.value("[...document.querySelectorAll('#layers input')].map(one => one.value)")
    wrong += [] if {"Mask", "Probability", "Image alone"} <= set(layers) else [f"layers {layers}"]
    label = browser.value("document.querySelector('#planes canvas').getAttribute('aria-label')")
    wrong += [] if "%" in label else [f"label {label}"]
    stretched = browser.value(STRETCHED)
    wrong += [] if all(abs(one - 1) < 0.02 for one in stretched) else [f"stretched {stretched}"]
    if kind == "volume":
        shares = [browser.value(COVERED)]
        browser.value(PRESS % "Image alone")
        shares.append(browser.value(COVERED))
        wrong += [] if shares[0] > 0.05 and shares[1] == 0 else [f"covered {shares}"]
    browser.value(PRESS % "Probability")
    labels = []
    for threshold in (0.1, 0.9):
        browser.value(f"document.getElementById('threshold').value = {threshold}")
        browser.value("document.getElementById('threshold').dispatchEvent(new Event('input'))")
        labels.append(browser.value("document.querySelector('#planes canvas').getAttribute('aria-label')"))
    wrong += [] if labels[0] != labels[1] else [f"the threshold changes nothing: {labels[0]}"]
    shoot("probability")
    wrong += [f"the browser reports: {one}" for one in browser.said]
    print(f"{name:<14} {'; '.join(wrong) or 'as it should be'}", flush=True)
    return wrong


def main() -> None:
    """Walk, and end with 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the page")
    pictures = parser.parse_args().pictures
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, services(Path(name)) as found:
        browser = Browser(Path(name) / "profile")
        try:
            wrong = [
                one for kind, at in found.items() for size in SIZES for one in walk(browser, kind, at, size, pictures)
            ]
        finally:
            browser.close()
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
