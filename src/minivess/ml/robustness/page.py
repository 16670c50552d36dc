"""Robustness for readers: a section that other pages can include, and a page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from statistics import median
from typing import NamedTuple

from jinja2 import Environment

from minivess.foundation.implements import implements
from minivess.ml.quality.pages.environment import environment_of
from minivess.ml.robustness.figures import curves
from minivess.records.evaluation.evaluation import Criterion
from minivess.records.evaluation.measures import heading_of, measure_of
from minivess.records.evaluation.robustness import Breakpoint, PerturbedLevel, RobustnessRecord
from minivess.records.evaluation.statistics.summaries import FEWEST_SIMULATED, Interval, percent
from minivess.records.lengths import shown

_STATISTICS = {"mean": "mean", "lower": "lower limit", "upper": "upper limit"}


class _Cell(NamedTuple):
    """Where a criterion fails under a perturbation."""

    mark: str
    words: str


class _Figure(NamedTuple):
    """A figure of a level: its mean, its interval, and the change."""

    heading: str
    mean: str
    interval: str
    change: str


class _Row(NamedTuple):
    """A level of a class in the table of figures."""

    perturbation: str
    level: str
    of_class: str
    figures: tuple[_Figure, ...]
    refused: str


@implements("REQ-406")
def robustness_section(record: RobustnessRecord) -> str:
    """The section as HTML without a page around it: what fails where, curves, figures and method."""
    return _environment().get_template("robustness-section.html.j2").render(**_shown(record))


@implements("REQ-406")
def robustness_page(record: RobustnessRecord, *, device: str) -> str:
    """The page as HTML.

    Args:
        record: what was measured.
        device: its name and version.
    """
    return (
        _environment()
        .get_template("robustness.html.j2")
        .render(device=device, section=robustness_section(record), record=record)
    )


def _shown(record: RobustnessRecord) -> dict[str, object]:
    unit = record.facts.conventions.within.unit
    several = len(record.facts.classes) > 1
    measures = [row for name in record.facts.measures if (row := measure_of(name)) is not None]
    return {
        "record": record,
        "facts": record.facts,
        "first": _first(record),
        "criteria": [criterion_words(one) for one in record.facts.criteria],
        "cells": [
            (
                curve.perturbation,
                [
                    _cell(one, curve.perturbation.unit, several=several)
                    for one in record.breakpoints
                    if one.perturbation == name
                ],
            )
            for curve in record.curves
            for name in (curve.perturbation.name,)
        ],
        "figures": [
            (row.heading(unit), base64.b64encode(curves(record, row.name)).decode("ascii")) for row in measures
        ],
        "headings": [row.short_heading(unit) for row in measures],
        "rows": list(_rows(record)),
        "several": several,
        "level": percent(record.facts.level),
        "tolerance": shown(record.facts.conventions.within.value, record.facts.conventions.within.unit),
        "coverage": _coverage(record),
        "bounds": record.unchanged.refused is not None,
    }


def _coverage(record: RobustnessRecord) -> str:
    """The simulated coverage of the intervals of means and changes, in words."""
    if record.groups < FEWEST_SIMULATED:
        return f"With {record.groups} groups their coverage cannot be simulated."
    levels = (record.unchanged, *(level for curve in record.curves for level in curve.levels))
    held = [
        one.coverage
        for level in levels
        for figures in level.classes.values()
        for one in (*figures.aggregates.values(), *figures.changes.values())
        if one.coverage is not None
    ]
    low, middle = percent(min(held)), percent(median(held))
    return f"Of samples drawn from the groups, they contained the mean in {middle} (median over the figures), at least in {low}."


def criterion_words(one: Criterion) -> str:
    """A criterion in words: `Dice of artery, mean at least 0.8`."""
    limits = [f"at least {one.at_least:g}"] if one.at_least is not None else []
    limits += [f"at most {one.at_most:g}"] if one.at_most is not None else []
    place = "" if one.of_class is None else f" of {one.of_class}"
    return f"{heading_of(one.measure)}{place}, {_STATISTICS[one.statistic]} {' and '.join(limits)}"


def breakpoint_words(one: Breakpoint, unit: str) -> str:
    """Where a criterion holds or fails, in words after its verdict."""
    if one.outcome == "never":
        return "at all levels"
    if one.outcome == "unchanged":
        return "without any change"
    if one.outcome == "unknown" or one.at is None or one.between is None:
        return "its measure was not counted"
    low, high = one.between
    return f"from about {one.at:.3g} {unit} (between {low:g} and {high:g})"


def _cell(one: Breakpoint, unit: str, *, several: bool) -> _Cell:
    mark = {"never": "passed", "at": "failed", "unchanged": "failed", "unknown": "open"}[one.outcome]
    named = one.criterion.of_class is not None
    place = "" if one.of_class is None or named or not several else f", {one.of_class}"
    return _Cell(mark, f"{breakpoint_words(one, unit)}{place}")


def _first(record: RobustnessRecord) -> str:
    """The sentences above all: which criteria fail without any change, and under which perturbations others fail."""
    found = [one for one in record.breakpoints if one.outcome != "unknown"]
    if not found:
        return ""
    already = dict.fromkeys(criterion_words(one.criterion) for one in found if one.outcome == "unchanged")
    names = {one.perturbation for one in found if one.outcome == "at"}
    titles = [curve.perturbation.title for curve in record.curves if curve.perturbation.name in names]
    sentences = [f"Fails on the unchanged images already: {'; '.join(already)}."] if already else []
    if titles:
        sentences.append(f"{'Another' if already else 'A'} criterion fails within the levels of: {', '.join(titles)}.")
    elif already:
        sentences.append(
            "Every other criterion holds at all levels." if len(already) < len(record.facts.criteria) else ""
        )
    return " ".join(filter(None, sentences)) or "Every criterion holds at all levels of all perturbations."


def _rows(record: RobustnessRecord) -> Iterator[_Row]:
    for name in record.facts.classes:
        yield _row(record, "Unchanged", "", record.unchanged, name)
    for curve in record.curves:
        for level in curve.levels:
            for name in record.facts.classes:
                words = f"{level.level:g} {curve.perturbation.unit}"
                yield _row(record, curve.perturbation.title, words, level, name)


def _row(record: RobustnessRecord, title: str, level: str, counted: PerturbedLevel, name: str) -> _Row:
    figures = counted.classes[name]
    unit = record.facts.conventions.within.unit
    made = []
    for measure in record.facts.measures:
        row = measure_of(measure)
        if row is None:
            continue
        digits, heading = row.digits_in(unit), row.short_heading(unit)
        found, change = figures.aggregates.get(measure), figures.changes.get(measure)
        if found is None:
            made.append(_Figure(heading, "undefined", "", ""))
            continue
        cases = len(record.cases)
        several = "" if found.n == cases else f", {found.n} of {cases} cases"
        made.append(
            _Figure(heading, f"{found.mean:.{digits}f}", f"{found.words(digits)}{several}", _change(change, digits))
        )
    refused = "" if counted.refused is None else f"{len(counted.refused)} of {len(record.cases)}"
    return _Row(title, level, name, tuple(made), refused)


def _change(change: Interval | None, digits: int) -> str:
    """The mean change with its interval."""
    if change is None:
        return ""
    shown = [
        f"{round(value, digits) + 0.0:+.{digits}f}"
        for value in (change.mean, change.lower, change.upper)
        if value is not None
    ]
    return shown[0] if len(shown) == 1 else f"{shown[0]} ({shown[1]} to {shown[2]})"


@cache
def _environment() -> Environment:
    """What renders pages about evaluations: `templates/evaluation`, with the style of the documents."""
    return environment_of("evaluation")
