"""A file that is imported again: what is new, changed and removed is shown, whatever kind of item it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.exchange.differences import Differences, differences
from minivess.compliance.exchange.exporting import export_items
from minivess.compliance.exchange.importing import Imported, import_file
from minivess.compliance.items.items import Items, load_items
from minivess.compliance.trace.link_reviews import item_digest
from minivess.foundation.digests import digest_json
from minivess.workflows.items.exchange import import_items

pytestmark = [pytest.mark.verifies("SU-19"), pytest.mark.verifies("REQ-258")]

ROOT = Path(__file__).parents[3]
MAPPING = "defaults: {category: functional, safety_class: B, verification: test}\nvalues: {category: {Daten: data}}\n"
TABLE = [
    ["ID", "Type", "Title", "Text", "Rationale", "Category", "Parent"],
    ["N-1", "User need", "Rest", "The user needs rest.", "", "", ""],
    ["N-2", "User need", "Sleep", "The user needs sleep.", "", "", ""],
    ["R-1", "Requirement", "Quiet", "It shall be quiet.", "Noise wakes.", "Daten", "N-1"],
    ["R-2", "Requirement", "Dark", "It shall be dark.", "Light wakes.", "", "N-1"],
    ["H-1", "Hazard", "Noise", "Noise over 80 dB.", "", "", ""],
]


class Desk:
    """A tree into which a table was imported."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.file, self.mapping = folder / "tree", folder / "list.csv", folder / "map.yaml"
        (self.tree / "requirements").mkdir(parents=True)
        (self.tree / "risk").mkdir()
        self.mapping.write_text(MAPPING, encoding="utf-8")
        self.first = self.take(TABLE)

    def take(self, table: list[list[str]], *, dry_run: bool = False) -> tuple[Imported, Differences]:
        """Import a table."""
        self.file.write_text("".join(";".join(row) + "\n" for row in table), encoding="utf-8")
        made = import_items(self.tree, self.file, mapping=self.mapping, dry_run=dry_run)
        return made.found, made.differences

    @property
    def items(self) -> Items:
        """What the tree holds."""
        return load_items(self.tree)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("reimport"))


def _with(row: int, column: str, value: str) -> list[list[str]]:
    table = [list(one) for one in TABLE]
    table[row][TABLE[0].index(column)] = value
    return table


def test_the_same_file_again_shows_nothing(desk: Desk) -> None:
    found, compared = desk.take(TABLE, dry_run=True)
    assert found.new == ()
    assert compared == Differences((), (), ())


def test_each_kind_keeps_the_id_of_the_other_tool(desk: Desk) -> None:
    origins = {item.origin: item.id for item in desk.items.all()}
    assert origins == {"N-1": "UN-001", "N-2": "UN-002", "R-1": "REQ-001", "R-2": "REQ-002", "H-1": "HAZ-001"}


@pytest.mark.parametrize(
    ("row", "column", "value", "shown"),
    [
        (1, "Text", "The user needs peace.", ("UN-001", "statement", "The user needs rest.", "The user needs peace.")),
        (3, "Title", "Silent", ("REQ-001", "title", "Quiet", "Silent")),
        (3, "Rationale", "Other.", ("REQ-001", "rationale", "Noise wakes.", "Other.")),
        (3, "Category", "security", ("REQ-001", "category", "data", "security")),
        (3, "Parent", "N-2", ("REQ-001", "derives_from", ["UN-001"], ["UN-002"])),
        (3, "Parent", "N-1, N-2", ("REQ-001", "derives_from", ["UN-001"], ["UN-001", "UN-002"])),
        (5, "Text", "Noise over 90 dB.", ("HAZ-001", "statement", "Noise over 80 dB.", "Noise over 90 dB.")),
        (5, "Type", "Harm", ("HAZ-001", "kind", "HAZ-001", "HARM-001")),
    ],
)
def test_a_changed_cell_is_shown_with_its_old_and_new_value(
    desk: Desk, row: int, column: str, value: str, shown: tuple[str, ...]
) -> None:
    _, compared = desk.take(_with(row, column, value), dry_run=True)
    [one] = compared.changed
    assert (one.id, one.field, one.old, one.new) == shown
    assert str(one.there) == f"list.csv:{row + 1}"
    assert one.here.file.endswith("/imported-list.yaml")
    assert compared.removed == ()


def test_no_change_of_a_single_cell_goes_unseen(desk: Desk) -> None:
    for row in range(1, len(TABLE)):
        for column in TABLE[0]:
            old = TABLE[row][TABLE[0].index(column)]
            for value in {"", "anything new", "X-9"} - {old}:
                if column == "Type" and value:
                    continue  # an unknown kind is refused
                found, compared = desk.take(_with(row, column, value), dry_run=True)
                told = [one for one in found.remarks if one.severity in {"lost", "changed"}]
                seen = compared.changed or compared.removed or compared.remarks or found.new or told
                assert seen, (row, column, value)


def test_added_and_removed_rows_are_shown_and_only_new_ones_are_written(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    before = {path: path.read_bytes() for path in desk.tree.rglob("*.yaml")}
    added = ["H-2", "Hazard", "Light", "Light at night.", "", "", ""]
    found, compared = desk.take([*TABLE[:2], *TABLE[3:], added])
    assert [(one.id, one.origin) for one in found.new] == [("HAZ-002", "H-2")]
    assert [(one.id, one.origin, one.title) for one in compared.removed] == [("UN-002", "N-2", "Sleep")]
    assert {path: path.read_bytes() for path in before} == before
    assert set(desk.tree.rglob("*.yaml")) - set(before) == {desk.tree / "risk" / "imported-list-2.yaml"}
    assert set(desk.items.by_id) == {"UN-001", "UN-002", "REQ-001", "REQ-002", "HAZ-001", "HAZ-002"}
    again, _ = desk.take([*TABLE, added])
    assert again.new == ()


def test_what_a_person_wrote_here_is_no_change_of_the_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    path = desk.tree / "requirements" / "imported-list.yaml"
    text = path.read_text(encoding="utf-8").replace("safety_class: B", "safety_class: C")
    path.write_text(text, encoding="utf-8")
    _, compared = desk.take(TABLE)
    assert compared.changed == ()


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".reqif", ".json", ".md"])
def test_an_export_is_imported_again_as_the_same_items(desk: Desk, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"all{suffix}"
    export_items(desk.items.all(), path)
    made = import_items(desk.tree, path, dry_run=True)
    assert (made.found.new, made.differences) == ((), Differences((), (), ()))


def test_an_edited_export_shows_what_was_edited_and_left_out(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    export_items([item for item in desk.items.all() if item.id != "UN-002"], path)
    path.write_text(
        path.read_text(encoding="utf-8").replace("It shall be dark.", "It shall be darker."), encoding="utf-8"
    )
    made = import_items(desk.tree, path, dry_run=True)
    assert [(one.id, one.field, one.new) for one in made.differences.changed] == [
        ("REQ-002", "statement", "It shall be darker.")
    ]
    assert [one.id for one in made.differences.removed] == ["UN-002"]


def test_ids_that_the_other_tool_shares_with_us_are_not_taken_for_ours(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("ID,Text\nREQ-001,Something else.\n", encoding="utf-8")
    found = import_file(path, mapping=None, taken=frozenset(desk.items.by_id), known_origins={})
    assert [(item.id, item.fields["origin"]) for item in found.items] == [("REQ-003", "REQ-001")]
    assert any("REQ-001 is the id of another item here, so it is REQ-003" in one.message for one in found.remarks)
    assert differences(found, desk.items.by_id) == Differences((), (), ())


def test_a_source_says_which_items_came_from_it(desk: Desk, tmp_path: Path) -> None:
    path, mapping = tmp_path / "pump.csv", tmp_path / "map.yaml"
    path.write_text("ID,Type,Text\nN-1,User need,x\n", encoding="utf-8")
    mapping.write_text("source: Pump\n", encoding="utf-8")
    made = import_items(desk.tree, path, mapping=mapping, dry_run=True)
    assert [item.origin for item in made.found.new] == ["Pump: N-1"]
    assert made.differences == Differences((), (), ())


def test_a_field_that_is_empty_in_the_file_alone_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    _, compared = desk.take(_with(3, "Rationale", ""))
    [remark] = compared.remarks
    assert (remark.item, remark.field, remark.value) == ("REQ-001", "rationale", "Noise wakes.")


def test_the_digest_of_an_item_without_an_origin_is_as_before(tree: Path) -> None:
    items = load_items(tree)
    harm = {"id": "HARM-01", "title": "Harm", "statement": "Harm.", "rests_on": []}
    assert item_digest(items.by_id["HARM-01"]) == digest_json(harm)
    assert item_digest(items.by_id["HARM-01"].model_copy(update={"origin": "H 1"})) == digest_json(
        {**harm, "origin": "H 1"}
    )
    assert items.requirements["REQ-001"].model_dump(mode="json")["origin"] is None


def test_the_items_of_this_repository_go_out_and_come_back(tmp_path: Path) -> None:
    items = load_items(ROOT)
    path = tmp_path / "all.json"
    assert export_items(items.all(), path) == ()
    found = import_file(path, mapping=None, taken=frozenset(items.by_id), known_origins={})
    assert [one for one in found.remarks if one.severity != "note"] == []
    assert {item.id for item in found.known} == set(items.by_id)
    assert differences(found, items.by_id) == Differences((), (), ())
    again = import_file(path, mapping=None, taken=(), known_origins={})
    for name, text in again.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "risk" / "plan.yaml").write_bytes((ROOT / "risk" / "plan.yaml").read_bytes())
    loaded = load_items(tmp_path).by_id
    assert {name: item.model_dump(exclude={"source"}) for name, item in loaded.items()} == {
        name: item.model_dump(exclude={"source"}) for name, item in items.by_id.items()
    }
