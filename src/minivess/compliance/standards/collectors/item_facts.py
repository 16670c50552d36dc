"""The items of a tree as rules about them look at them: by kind, with the dependencies and versions they are compared with."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from minivess.compliance.standards.catalogue import SafetyClass
from minivess.records.items.items import Item


@dataclass(frozen=True)
class ItemFacts:
    """Items by kind, the class of the device, and the product's direct dependencies with the versions that are locked."""

    by_kind: Mapping[type[Item], list[Item]]
    safety_class: SafetyClass
    dependencies: frozenset[str]
    locked: Mapping[str, str]

    @classmethod
    def of_items(
        cls,
        items: Iterable[Item],
        *,
        safety_class: SafetyClass,
        dependencies: Collection[str],
        locked: Mapping[str, str],
    ) -> Self:
        """The facts of all items of requirements/ and risk/; names of packages are compared in their normal form."""
        by_kind: defaultdict[type[Item], list[Item]] = defaultdict(list)
        for item in items:
            by_kind[type(item)].append(item)
        return cls(
            by_kind,
            safety_class,
            frozenset(package_key(name) for name in dependencies),
            {package_key(name): version for name, version in locked.items()},
        )

    def of[T: Item](self, kind: type[T]) -> list[T]:
        """The items of a kind."""
        return [one for one in self.by_kind.get(kind, ()) if isinstance(one, kind)]


def package_key(name: str) -> str:
    """The normal form of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
