"""Whether the licences of what ships are among those that a project accepts.

Licence expressions: SPDX specification 2.3, annex D. `OR` lets the user choose, `AND` binds to all.
"""

from __future__ import annotations

import re
from pathlib import Path

from minivess.compliance.facts.package_metadata import about
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.paths import component_policy
from minivess.foundation.reading.lock_file import LockedPackage, Use, read_lock
from minivess.records.components.policy import ComponentPolicy
from minivess.records.components.review import CheckedComponents

COMPONENTS_FILE = "release/components.yaml"
_TOKENS = re.compile(r"\(|\)|[A-Za-z0-9][A-Za-z0-9.+:-]*", re.ASCII)
_DEEPEST = 20


@implements("REQ-532")
def read_component_policy(source: Path) -> ComponentPolicy:
    """The policy of a source tree; where it has none, that of this package.

    Raises:
        InputError: the file is malformed, with file and line.
    """
    from minivess.foundation.reading.yaml_records import read_record  # YAML, which few commands need

    own = source / COMPONENTS_FILE
    return read_record(own if own.is_file() else component_policy(), ComponentPolicy, shown=COMPONENTS_FILE)


@implements("REQ-532")
def checked_licences(lock: Path, member: str, policy: ComponentPolicy) -> CheckedComponents:
    """The licences of the packages that run with the device.

    Args:
        lock: as `read_lock` reads it.
        member: as in `read_lock`.
        policy: what is accepted.

    Raises:
        InputError: the lock file cannot be read.
    """
    shipped = [package for package in read_lock(lock, member).packages if package.use is Use.RUNTIME]
    used: set[str] = set()
    offenders = [words for package in shipped if (words := _fault(package, policy, used))]
    named = {one.package for one in policy.readings} | {one.package for one in policy.accepted}
    named &= {package.name for package in shipped}
    notes = [f"{COMPONENTS_FILE} names {name}, for which it is not needed" for name in sorted(named - used)]
    return CheckedComponents(looked_at=len(shipped), offenders=tuple(offenders), notes=tuple(notes))


def _fault(package: LockedPackage, policy: ComponentPolicy, used: set[str]) -> str:
    """What is wrong with the licence of a package, in a sentence; empty: nothing. Adds the packages that the policy names."""
    stated = about(package.name, package.version).licence or package.licence
    licence = policy.licence_of(package.name, stated)
    if licence != stated:
        used.add(package.name)
    if not licence:
        return f"{package.name} {package.shown_version} states no licence"
    if allows(licence, frozenset(policy.allowed)):
        return ""
    if any((one.package, one.licence) == (package.name, licence) for one in policy.accepted):
        used.add(package.name)
        return ""
    return f"{package.name} {package.shown_version} has the licence {licence[:100]}, which is not accepted"


@implements("REQ-532")
def allows(expression: str, allowed: frozenset[str]) -> bool:
    """Whether one may use what has a licence under licences that are allowed. What is no expression is not allowed."""
    words = _TOKENS.findall(expression)
    if "".join(words) != "".join(expression.split()):
        return False
    try:
        held = _either(words, allowed, 0)
    except (IndexError, InputError):
        return False
    return held and not words


def _either(words: list[str], allowed: frozenset[str], depth: int) -> bool:
    held = _all(words, allowed, depth)
    while words and words[0] == "OR":
        words.pop(0)
        other = _all(words, allowed, depth)
        held = held or other
    return held


def _all(words: list[str], allowed: frozenset[str], depth: int) -> bool:
    held = _one(words, allowed, depth)
    while words and words[0] == "AND":
        words.pop(0)
        other = _one(words, allowed, depth)
        held = held and other
    return held


def _one(words: list[str], allowed: frozenset[str], depth: int) -> bool:
    """A licence, with its exception, or an expression in parentheses; takes its words away."""
    word = words.pop(0)
    if word == "(":
        if depth > _DEEPEST:
            raise InputError("nested too deep")
        held = _either(words, allowed, depth + 1)
        if words.pop(0) != ")":
            raise InputError("no closing parenthesis")
        return held
    if words and words[0] == "WITH":
        words.pop(0)
        return f"{word} WITH {words.pop(0)}" in allowed
    return word in allowed
