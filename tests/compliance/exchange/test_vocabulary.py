"""The tables of other tools' words: each is read whole, and each of its words is for something that exists."""

from __future__ import annotations

from typing import get_args

import pytest

from minivess.compliance.exchange.mapping import IGNORE, OUR_LINKS, PREFIXES, ForeignMapping
from minivess.compliance.exchange.vocabulary import Table, names_of, plain
from minivess.compliance.exchange.words import kind_of_word, our_word, points_down, relation_of_word
from minivess.records.items.kinds import KINDS


@pytest.mark.parametrize("table", get_args(Table))
def test_every_name_is_in_the_form_in_which_names_are_compared(table: Table) -> None:
    names = names_of(table)
    assert names
    assert all(known for known in names.values())
    assert all(name == plain(name) for known in names.values() for name in known if name)


def test_kinds_and_relations_are_ours() -> None:
    assert set(names_of("kinds")) <= {*PREFIXES, IGNORE}
    assert set(names_of("relations")) <= {*OUR_LINKS, "children", "implemented_by", "verifies"}


def test_each_value_is_one_that_its_field_takes() -> None:
    fields = {name: kind.record.model_fields[name] for kind in KINDS for name in kind.record.model_fields}
    for ours, names in names_of("values").items():
        field, _, value = ours.partition(".")
        assert field in fields, ours
        assert any(our_word(field, name, [value], ForeignMapping()) == value for name in names), ours


@pytest.mark.parametrize(("written", "prefix"), [("Anforderung", "REQ"), ("Testfall", IGNORE), ("User Need", "UN")])
def test_a_word_of_another_tool_is_recognised_in_any_spelling(written: str, prefix: str) -> None:
    assert kind_of_word(written, ForeignMapping()) == prefix
    assert kind_of_word(written.upper().replace(" ", "_"), ForeignMapping()) == prefix


def test_relations_have_a_direction() -> None:
    assert relation_of_word("abgeleitet von") == "derives_from"
    assert points_down("children")
    assert not points_down("parent")
    assert relation_of_word("children") is None
