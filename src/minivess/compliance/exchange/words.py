"""Words of other tools, in English and German, for our kinds, relations and values."""

from __future__ import annotations

import re

from minivess.compliance.exchange.mapping import ForeignMapping, is_word, plain
from minivess.records.items.items import KINDS, RequirementCategory

_KINDS: dict[str, tuple[str, ...]] = {
    "UN": (
        *(
            "user need",
            "user needs",
            "user requirement",
            "stakeholder need",
            "stakeholder requirement",
            "need",
            "customer",
        ),
        *("customer requirement", "nutzerbedarf", "bedarf", "nutzeranforderung", "kundenanforderung", "stakeholder"),
        *("stakeholderanforderung", "user story", "intended use", "zweckbestimmung", "lastenheft", "stk", "usr", "urs"),
    ),
    "SYS": (
        *("system requirement", "system requirements", "systemanforderung", "systemanforderungen", "sysreq", "srd"),
        *("product requirement", "produktanforderung", "sysrs", "prs"),
    ),
    "REQ": (
        *(
            "software requirement",
            "software requirements",
            "softwareanforderung",
            "softwareanforderungen",
            "req",
            "srs",
        ),
        *("swr", "swreq", "sw requirement", "requirement", "requirements", "anforderung", "functional requirement"),
        *(
            "non functional requirement",
            "nonfunctional",
            "functional",
            "funktionale anforderung",
            "performance",
            "spec",
        ),
        *("nicht funktionale anforderung", "specification", "interface requirement", "security requirement", "story"),
    ),
    "SI": ("software item", "softwareitem", "component", "komponente", "softwarekomponente", "subsystem", "comp"),
    "SU": ("software unit", "unit", "softwareeinheit", "modul", "module"),
    "SOUP": ("soup", "ots", "off the shelf software", "third party software"),
    "ANO": ("anomaly", "bug", "defect", "fehler", "fehlerbericht", "problem report"),
    "CR": ("change request", "change", "änderung", "änderungsantrag", "aenderungsantrag"),
    "HAZ": ("hazard", "gefährdung", "gefaehrdung"),
    "SEQ": ("sequence of events", "ereigniskette", "ereignisabfolge", "foreseeable sequence"),
    "HS": ("hazardous situation", "gefährdungssituation", "gefaehrdungssituation"),
    "HARM": ("harm", "schaden"),
    "RISK": ("risk", "risiko"),
    "RC": (
        *("risk control", "risk control measure", "mitigation", "measure", "maßnahme", "massnahme"),
        *("risikobeherrschungsmaßnahme", "risikokontrollmaßnahme", "risikominimierungsmaßnahme"),
    ),
    "THR": ("threat", "bedrohung"),
    "ATT": ("attestation",),
    "SAC": ("acceptance criterion", "akzeptanzkriterium"),
}
_NOT_ITEMS = frozenset(
    {
        *("heading", "überschrift", "ueberschrift", "information", "info", "hinweis", "folder", "ordner", "section"),
        *(
            "text",
            "freetext",
            "title",
            "kapitel",
            "chapter",
            "test",
            "test case",
            "testcase",
            "testfall",
            "impl",
            "implementation",
            "note",
        ),
        *(
            "comment",
            "kommentar",
            "graphic",
            "abbildung",
            "definition",
            "glossary",
            "release",
            "epic",
            "task",
            "aufgabe",
        ),
    }
)
_RELATIONS: dict[str, tuple[str, ...]] = {
    "derives_from": (
        *(
            "derives",
            "derived from",
            "derives from",
            "derive",
            "refines",
            "refine",
            "refinement",
            "satisfies",
            "satisfy",
        ),
        *("abgeleitet von", "abgeleitet aus", "verfeinert", "erfüllt", "ableitung", "leitet ab aus"),
    ),
    "implemented_by": ("implemented by", "realised by", "realized by", "umgesetzt durch", "realisiert durch"),
    "part_of": ("part of", "teil von", "belongs to", "gehört zu"),
    "allocated_to": ("allocated to", "allocation", "zugeordnet", "zugewiesen"),
    "controls": ("controls", "mitigated by", "controlled by", "beherrscht durch", "maßnahmen"),
    "affects": ("affects", "betrifft", "impacts"),
    "verifies": ("verifies", "verify", "prüft", "verifiziert"),
}
_CHILD = frozenset(
    {
        *("child", "children", "downstream", "refined by", "satisfied by", "untergeordnet", "verfeinert durch"),
        *("derived requirements", "kind", "kinder", "traced by", "is parent of"),
    }
)
_VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "verification": {
        "test": (
            "t",
            "testing",
            "tests",
            "tested",
            "prüfung",
            "test case",
            "unit test",
            "systemtest",
            "automated test",
        ),
        "analysis": ("a", "analyse", "simulation", "berechnung", "calculation", "demonstration"),
        "inspection": ("i", "inspektion", "review", "code review", "sichtprüfung", "begutachtung"),
    },
    "safety_class": {letter: (f"class {letter}", f"klasse {letter}", f"cl {letter}") for letter in ("a", "b", "c")},
    "category": {
        RequirementCategory.FUNCTIONAL: ("functional requirement", "funktional", "funktion", "function", "performance"),
        RequirementCategory.INPUTS_OUTPUTS: ("input output", "inputs and outputs", "ein und ausgaben", "io", "i o"),
        RequirementCategory.INTERFACES: ("interface", "schnittstelle", "schnittstellen"),
        RequirementCategory.ALARMS: ("alarm", "alarms", "alarme", "warnings", "alarme und meldungen", "messages"),
        RequirementCategory.SECURITY: ("cybersecurity", "it sicherheit", "informationssicherheit", "sec"),
        RequirementCategory.USABILITY: ("gebrauchstauglichkeit", "ui", "user interface", "benutzeroberfläche"),
        RequirementCategory.DATA: ("daten", "database", "datenbank", "data definition"),
        RequirementCategory.INSTALLATION: ("installation and acceptance", "deployment"),
        RequirementCategory.OPERATION: ("operation", "maintenance", "betrieb", "wartung", "betrieb und wartung"),
        RequirementCategory.NETWORK: ("netzwerk", "networking", "it network"),
        RequirementCategory.REGULATORY: ("regulatorisch", "compliance", "legal", "normativ"),
        RequirementCategory.RISK_CONTROL: ("risk control measure", "risikobeherrschung", "safety", "sicherheit"),
    },
    "kind": {
        "inherently-safe-design": ("inherent safety", "design", "inhärente sicherheit", "inherent safety by design"),
        "protective-measure": ("protective", "protection", "schutzmaßnahme"),
        "information-for-safety": ("information", "labeling", "labelling", "ifu", "training", "sicherheitsinformation"),
    },
    "status": {
        "open": ("new", "offen", "neu", "in progress", "in arbeit", "reopened"),
        "closed": ("done", "geschlossen", "resolved", "fixed", "erledigt", "verified"),
    },
}
_BEGINNING = re.compile(r"[A-Za-zÄÖÜäöüß]+(?:[-_ .][A-Za-z]+)*(?=[-_ .]?[0-9])")


def kind_of_word(written: str, mapping: ForeignMapping) -> str | None:
    """The prefix a kind as written stands for; `ignore` for what is no item; None when nothing tells."""
    word = plain(written)
    if not word:
        return None
    for name, prefix in mapping.kinds.items():
        if plain(name) == word:
            return prefix
    for kind in KINDS:
        if word in {kind.prefix.lower(), plain(kind.list), kind.title.lower(), kind.plural.lower()}:
            return kind.prefix
    for prefix, names in _KINDS.items():
        if is_word(word, names):
            return prefix
    return "ignore" if is_word(word, _NOT_ITEMS) else None


def kind_of_id(identifier: str, mapping: ForeignMapping) -> str | None:
    """The prefix that the beginning of a foreign id stands for; None when it tells nothing."""
    for name, told in sorted(mapping.kinds.items(), key=lambda one: -len(one[0])):
        if identifier.casefold().startswith(name.casefold()):
            return told
    found = _BEGINNING.match(identifier)
    prefix = kind_of_word(found.group(), ForeignMapping()) if found else None
    return None if prefix == "ignore" else prefix


def relation_of_word(written: str) -> str | None:
    """The field a relation as written stands for; None when nothing tells."""
    word = plain(written)
    return next((name for name, words in _RELATIONS.items() if word == plain(name) or is_word(word, words)), None)


def points_down(written: str) -> bool:
    """Whether a relation names children, so that the link belongs to the other end."""
    return is_word(plain(written), _CHILD)


def our_word(name: str, written: str, allowed: list[str], mapping: ForeignMapping) -> str | None:
    """The value of ours that a word of theirs stands for in a field with fixed values; None when none does."""
    word = plain(written)
    for theirs, ours in mapping.values.get(name, {}).items():
        if plain(theirs) == word:
            return ours
    for value in allowed:
        if plain(value) == word:
            return value
        known = _VALUES.get(name, {})
        if is_word(word, known.get(value) or known.get(value.lower(), ())):
            return value
    return None
