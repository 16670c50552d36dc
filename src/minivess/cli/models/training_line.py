"""How `minivess train` shows a training run: one line that is drawn again, lines every few seconds, or JSON."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable

import click

from minivess.cli.rendering import verbosity
from minivess.foundation.implements import implements
from minivess.records.models.training_event import TrainingEvent
from minivess.records.models.training_run import Beat, ValidationPoint

_EVERY_S = 10.0
"""Seconds from one line to the next where nothing is drawn again."""


@implements("REQ-359")
def hear_training(*, as_json: bool) -> Callable[[TrainingEvent], None]:
    """What shows the events of a run on stderr.

    Args:
        as_json: each event as a line of JSON; else in words.
    """
    if verbosity() < 0:
        return lambda event: None
    if as_json:
        return lambda event: click.echo(event.line(), err=True, nl=False)
    return TrainingLine()


@implements("REQ-359")
class TrainingLine:
    """Events in words. On a terminal the line of a run is drawn again; elsewhere a line is written every ten seconds, for
    each validation and for the last step."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said = float("-inf")
        self._drawn = False
        self._validated: ValidationPoint | None = None

    def __call__(self, event: TrainingEvent) -> None:
        """Show an event."""
        if event.event in {"started", "resumed"}:
            self._validated = None
        if event.beat is None:
            self._write(in_words(event))
            return
        self._validated = event.beat.validation or self._validated
        text = f"{event.run}: {step_in_words(event.beat, self._validated)}"
        if self._terminal:
            width = shutil.get_terminal_size().columns
            click.echo(f"\r\x1b[2K{text[: width - 1]}", err=True, nl=False)
            self._drawn = True
            return
        now = time.monotonic()
        if now - self._said >= _EVERY_S or event.beat.validation is not None or event.beat.step >= event.beat.steps:
            self._said = now
            self._write(text)

    def _write(self, text: str) -> None:
        click.echo(f"{'\n' if self._drawn else ''}{text}", err=True)
        self._drawn = False


def in_words(event: TrainingEvent) -> str:
    """An event that is no step."""
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in event.figures.items())
    words = {
        "started": "begins",
        "resumed": "continues where it stopped",
        "phase": f"{event.phase}s",
        "finished": f"finished{f': {figures}' if figures else ''}",
        "failed": "failed",
    }
    return f"{event.run}: {words[event.event]}"


@implements("REQ-359")
def step_in_words(beat: Beat, validated: ValidationPoint | None) -> str:
    """Step, loss, validation Dice of each class, rate, time left, device and memory.

    Args:
        beat: the step.
        validated: the newest validation; None: there was none.
    """
    parts = [f"step {beat.step}/{beat.steps}", f"loss {beat.loss:.4f}"]
    if validated is not None:
        dice = (
            f"{_plain(name)} {'none' if value is None else f'{value:.3f}'}" for name, value in validated.dice.items()
        )
        parts.append(f"validation Dice {', '.join(dice)} (step {validated.step})")
    parts += [
        f"{beat.steps_per_second:.3g} steps/s",
        f"{duration(beat.seconds_left)} left",
        beat.device,
        f"{beat.memory / 1e6:.0f} MB",
    ]
    if beat.waited >= 0.1:
        parts.append(f"waits for patches {beat.waited:.0%} of the time")
    return " · ".join(parts)


def _plain(name: str) -> str:
    """The name of a class without characters that move the cursor or begin a line."""
    return "".join(one if one.isprintable() else "?" for one in name)


def duration(seconds: float) -> str:
    """A time in words: seconds, minutes, or hours and minutes."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
