"""A changed pack, made as whole again as those who take part can make it.

Nobody: the files are bagged again, and nothing is signed. The release manager: who runs the log as well prepares the release
again, the log signs the new checkpoint, and she signs the pack again. Both: the reviewer signs again too, the pack and the
checkpoint. Everybody: whoever made the changed file or the changed entry signs it again, and so does everyone whose entry
rests on it. Entries that follow are linked to the new ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from markupsafe import escape

from minivess.compliance.identity.approvals import approve, signature_list
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.envelope import envelope_bytes, pae
from minivess.compliance.proofs.merkle import consistency_proof, inclusion_proof, leaf_hash, root, tree_of
from minivess.compliance.proofs.tlog_proof import LaterEntry, TlogProof
from minivess.compliance.release.chain import check_chain
from minivess.compliance.release.derivation import derive, gates_file
from minivess.compliance.release.facts import statement_of
from minivess.compliance.release.layout import Layout, PayloadManifest, layout_text
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError
from minivess.records.artifact import Artifact
from minivess.records.device.preparation import ReleasePrepared
from minivess.records.log.entry import Entry
from minivess.records.people.approval import Envelope, Manifestation
from minivess.records.people.identity import Meaning
from minivess.records.references import ROLES
from tests.support.builders.layout2_pack import INDEX, TEXT, SmallPack
from tests.support.builders.pack_builder import BEGIN, log_key
from tests.support.builders.release_builder import policy_of_release
from tests.yardstick.packs.bags import TAG, Files, is_bound, rebagged
from tests.yardstick.packs.formats import format_of
from tests.yardstick.packs.places import Change

SIGNED = ("nobody", "release manager", "both people", "everybody")
ENTRIES, DETAILS, CHECKPOINT = (f"data/audit/{name}" for name in ("entries.jsonl", "details.jsonl", "checkpoint.txt"))
PROOFS = "data/audit/proofs/"
LIST, SBOM = "signatures/SIGNATURES.txt", "data/bom/sbom.cdx.json"
READ = ("data/release/risks.json", "data/release/attested.json")
"""Files that no entry made, from which gates and the signing text follow."""
GATES = "data/release/gates.json"


@dataclass
class _Log:
    """The lines of a log that is written again."""

    lines: list[bytes]
    details: list[bytes]
    note: str = ""

    @property
    def hashes(self) -> list[bytes]:
        """Of the leaves."""
        return [leaf_hash(line) for line in self.lines]


@dataclass
class Forger:
    """Makes whole packs out of changes of one."""

    pack: SmallPack
    whole: Files = field(init=False)
    """The pack itself, with all signatures."""
    signers: dict[str, Signer] = field(init=False)
    """By key id."""

    def __post_init__(self) -> None:
        people = self.pack.people
        self.signers = {who.key_id: who for who in (people.developer, people.reviewer, people.manager)}
        self.layout = Layout.model_validate_json(layout_text())
        entries, details = (self.pack.files[name].splitlines() for name in (ENTRIES, DETAILS))
        self.log = _Log(entries, details, self.pack.log.checkpoint)
        self.whole = self._signed(dict(self.pack.files), self.log, SIGNED[2], {})

    def levels(self, name: str) -> tuple[str, ...]:
        """Who can take part in a change of a file so that it makes a difference."""
        everybody = name in {ENTRIES, DETAILS, *READ} or self.made(name) is not None
        return SIGNED if everybody else SIGNED[:-1]

    def forge(self, change: Change, signed: str) -> Files:
        """The files of the changed pack."""
        changed = change.files
        if signed == SIGNED[0]:
            return rebagged(self._with(changed), changed)
        allowed = self._allowed(signed)
        log, derived = self._log(change, signed, allowed)
        mine = {name: content for name, content in changed.items() if not name.startswith("signatures/")}
        files = self._with({**derived, **mine})
        if log is not self.log:
            files = self._with_log(files, log, changed)
        elif CHECKPOINT in changed:
            files = self._note_signed(files, log)
        return self._signed(rebagged(files, changed), log, signed, changed)

    def _with(self, changed: Mapping[str, bytes | None]) -> Files:
        files = {**self.whole, **changed}
        return {name: content for name, content in files.items() if content is not None}

    def _allowed(self, signed: str) -> frozenset[str]:
        """The keys of those who take part."""
        people = self.pack.people
        who = {SIGNED[1]: (people.manager,), SIGNED[2]: (people.manager, people.reviewer)}.get(signed)
        return frozenset(self.signers if who is None else (one.key_id for one in who))

    def made(self, name: str) -> tuple[str, str] | None:
        """The role of the entry that made a file, and the name of the output."""
        row = self.layout.row(name.removeprefix("data/"))
        if row is None or row.made_by is None or row.output is None:
            return None
        return row.made_by, row.output.replace("*", row.fit(name.removeprefix("data/")) or "")

    def _log(self, change: Change, signed: str, allowed: frozenset[str]) -> tuple[_Log, Files]:
        """The log that goes with a change, and the files that were derived again."""
        name, entries, details = change.place.file, dict[int, Any](), self.log.details
        name = name if name in change.files else ""  # another file was added beside it
        lines = (change.files.get(name) or b"").splitlines()
        whole = len(lines) == len(self.log.lines) and (name != ENTRIES or all(map(_is_json, lines)))
        if name in {ENTRIES, DETAILS} and not whole:
            log = _Log(lines, details) if name == ENTRIES else _Log(self.log.lines, lines)
            return _noted(log, self.log.note), {}
        if name == ENTRIES:
            entries = {n: json.loads(line) for n, line in enumerate(lines) if line != self.log.lines[n]}
        elif name == DETAILS:
            details = lines
            for index in [n for n, line in enumerate(lines) if line != self.log.details[n]]:
                entries[index] = json.loads(self.log.lines[index])
                entries[index]["body"]["details"] = None if lines[index] == b"null" else digest_bytes(lines[index])
        elif not any(map(is_bound, change.files)):
            return self.log, {}
        elif signed == SIGNED[3]:
            for file, content in change.files.items():
                entries |= self._maker(file, content)
        return self._rewritten(entries, details, allowed, change.files, derived=signed == SIGNED[3])

    def _maker(self, file: str, content: bytes | None) -> dict[int, Any]:
        """The entry that made a file, with the digest of what the file is now."""
        made = self.made(file)
        if made is None or content is None:
            return {}
        role, output = made
        for index, line in reversed(list(enumerate(self.log.lines))):
            entry = json.loads(line)
            body = entry["body"]
            for item in body["outputs"]:
                if body["action"] == ROLES[role] and item["name"] == output:
                    old, item["digest"] = item["digest"], digest_bytes(content)
                    if body["context"]["model"] == old:
                        body["context"]["model"] = item["digest"]
                    return {index: entry}
        return {}

    def _rewritten(
        self,
        changed: Mapping[int, Any],
        details: list[bytes],
        allowed: frozenset[str],
        files: Mapping[str, bytes | None],
        *,
        derived: bool,
    ) -> tuple[_Log, Files]:
        """The log with changed entries, signed again by those who take part, with the links that they can make again.

        Args:
            changed: entries by index.
            details: the lines of the details.
            allowed: the keys of those who take part.
            files: the changed files, by which the release is prepared again.
            derived: whether gates and signing text are derived again.
        """
        lines, digests, made = list[bytes](), dict[int, str](), dict[str, bytes]()
        last = len(self.log.lines) - 1
        for index, old in enumerate(self.log.lines):
            entry = changed[index] if index in changed else json.loads(old)
            body = entry.get("body") if isinstance(entry, dict) else None
            if isinstance(body, dict) and body.get("key") in allowed:
                body = body if index in changed else _linked(body, digests)
                if index == last and index not in changed:
                    made = self._derived(lines, body, files) if derived else {}
                    self._prepare(body, digests, lines, self._with({**made, **files}))
                if canonical(body) != canonical(json.loads(old)["body"]):
                    signature = self.signers[body["key"]].sign(canonical(body))
                    entry = {**entry, "body": body, "signature": to_base64(signature)}
            line = canonical(entry)
            if line != old and isinstance(body, dict):
                digests[index] = digest_of(body)
            lines.append(line)
        return _noted(_Log(lines, details), self.log.note), made

    def _prepare(self, body: Any, digests: Mapping[int, str], lines: list[bytes], files: Files) -> None:
        """What the release manager states in the last entry, by the files as they are now."""
        manifest = PayloadManifest.of(files)
        body["payload"] |= {"manifest": manifest.digest, "files": manifest.files}
        body["payload"] |= {"sbom": digest_bytes(files[SBOM])} if SBOM in files else {}
        body["context"]["model"] = _model(body, digests, lines)

    def _derived(self, lines: list[bytes], body: Any, files: Mapping[str, bytes | None]) -> Files:
        """Gates and signing text as they follow from other files and entries; nothing where they do not follow."""
        try:
            entries = [Entry.model_validate_json(line) for line in lines]
            prepared = ReleasePrepared.model_validate(body["payload"])
            chain = check_chain(entries, prepared.chain, prepared.device.version, None)
            found = derive(self._with(files), entries, chain, statement_of(prepared))
        except (MinivessError, ValueError, KeyError, TypeError):
            return {}
        old, new = (str(escape(text.decode("utf-8"))).encode("utf-8") for text in (self.whole[TEXT], found.text))
        return {GATES: gates_file(found.outcomes), TEXT: found.text, INDEX: self.whole[INDEX].replace(old, new)}

    def _with_log(self, files: Files, log: _Log, changed: Mapping[str, bytes | None]) -> Files:
        """The files with another log, and with the proofs of its entries."""
        made = {ENTRIES: log.lines, DETAILS: log.details}
        files |= {name: b"".join(line + b"\n" for line in lines) for name, lines in made.items() if name in files}
        files[CHECKPOINT] = log.note.encode("utf-8")
        hashes = log.hashes
        tree = tree_of(hashes)
        for name in [one for one in files if one.startswith(PROOFS)]:
            index = int(name.removeprefix(PROOFS).partition(".")[0])
            if index < len(hashes) and name not in changed:
                proof = TlogProof(index, inclusion_proof(tree, index, len(hashes)), log.note)
                files[name] = proof.text().encode("utf-8")
        return files

    def _note_signed(self, files: Files, log: _Log) -> Files:
        """A changed checkpoint, signed by the key of the log where it still is one."""
        lines = files.get(CHECKPOINT, b"").decode("utf-8", "replace").split("\n")
        try:
            origin, size, hashed = lines[:3]
            note = sign_note(Checkpoint(origin, int(size), hashlib.sha256(hashed.encode()).digest()), log_key())
        except (ValueError, MinivessError):
            return files
        if lines[:3] != log.note.split("\n")[:3]:
            signature = note.rpartition("\n\n")[2]
            files[CHECKPOINT] = ("\n".join([*lines[:3], "", ""]) + signature).encode("utf-8")
        return files

    def _signed(self, files: Files, log: _Log, signed: str, changed: Mapping[str, bytes | None]) -> Files:
        """The files with the signatures of those who take part; other signatures as they were."""
        people, allowed = self.pack.people, self._allowed(signed)
        who = [one for one in (people.reviewer, people.manager) if one.key_id in allowed]
        later = _Log(list(log.lines), [])
        body = json.loads(self.log.lines[-1])["body"]
        said = {"version": body["payload"]["device"]["version"], "tag_manifest": digest_bytes(files.get(TAG, b""))}
        built = ("release.build", {**said, "gates": 1, "files": len(files)})
        self._append(later, people.manager, built, body["context"])
        for number, one in enumerate(who):
            name = f"signatures/{one.identity.id}"
            envelope = self._envelope(files, one, len(later.lines), number, changed.get(f"{name}.dsse.json"))
            files[f"{name}.dsse.json"] = canonical(envelope)
            entry = changed.get(f"{name}.tlog-proof")
            payload = {**said, "envelope": envelope}
            index = self._append(later, one, ("release.sign", payload), dict.fromkeys(body["context"], None), entry)
            files[f"{name}.tlog-proof"] = _later_proof(later, index, len(log.lines), log.note)
        reviewer = people.reviewer
        if reviewer in who:
            line = _tried(lambda: reviewer.cosign(files[CHECKPOINT].decode("utf-8"), 1_800_000_000).encode("utf-8"))
            files[f"signatures/{reviewer.identity.id}.cosignature"] = line or b""
            files[LIST] = _tried(lambda: _list_of(files)) or self.whole[LIST]
        for name, content in changed.items():
            if name.startswith("signatures/") and not self._made_again(name, content, who):
                files.pop(name, None)
                files |= {} if content is None else {name: content}
        return files

    def _made_again(self, name: str, content: bytes | None, who: list[Signer]) -> bool:
        """Whether a changed file of a signer was made again by them, so that the change is in what they signed."""
        mine = any(name.startswith(f"signatures/{one.identity.id}.") for one in who)
        inner = _inner(name, content)
        if not mine or inner is None or not name.endswith((".dsse.json", ".tlog-proof")):
            return False
        return name.endswith(".dsse.json") or _entry_in(inner) not in {None, _entry_in(_inner(name, self.whole[name]))}

    def _envelope(self, files: Files, who: Signer, head: int, number: int, changed: bytes | None) -> Any:
        """What a person signs; a changed payload is signed as it is."""
        inner = None if changed is None else _inner("x.dsse.json", changed)
        if inner is not None:
            old = json.loads(self.whole[f"signatures/{who.identity.id}.dsse.json"])
            payload = canonical(inner["payload"]) if "payload" in inner else b""
            tree = json.loads(changed or b"")
            if inner.get("payload") != _inner("x.dsse.json", canonical(old))["payload"]:
                signature = to_base64(who.sign(pae(tree.get("payloadType", ""), payload)))
                tree["signatures"] = [{"keyid": who.key_id, "sig": signature}]
            return tree
        envelope: Envelope = approve(
            who,
            role=who.identity.roles[0],
            meaning=Meaning.REVIEW if who is self.pack.people.reviewer else Meaning.APPROVAL,
            policy=policy_of_release().signatures,
            subjects=[Artifact(name=TAG, digest=digest_bytes(files.get(TAG, b"")))],
            shown=digest_bytes(files.get(TEXT, b"")),
            head=head,
            now=BEGIN + timedelta(hours=1, minutes=number),
        )
        return json.loads(envelope_bytes(envelope))

    def _append(self, log: _Log, who: Signer, said: tuple[str, Any], context: Any, changed: bytes | None = None) -> int:
        """An entry after the log of the pack; a changed one is signed as it is."""
        index = len(log.lines)
        first = json.loads(self.log.lines[-1])["body"]
        body = {
            **first,
            "action": said[0],
            "payload": said[1],
            "context": context,
            "inputs": [],
            "outputs": [],
            "index": index,
            "actor": who.identity.id,
            "key": who.key_id,
            "started": None,
        }
        inner = None if changed is None else _inner("x.tlog-proof", changed)
        entry: Any = {"body": body, "signature": to_base64(who.sign(canonical(body)))}
        extra = {} if inner is None else inner.get("extra")
        if isinstance(extra, dict) and "entry" in extra:
            entry = extra["entry"]
            if isinstance(entry, dict) and isinstance(entry.get("body"), dict):
                entry = {**entry, "signature": to_base64(who.sign(canonical(entry["body"])))}
        log.lines.append(canonical(entry))
        return index


def _noted(log: _Log, note: str) -> _Log:
    """The log with a checkpoint that its key signed."""
    origin = note.partition("\n")[0]
    log.note = note
    if log.lines:
        log.note = sign_note(Checkpoint(origin, len(log.lines), root(log.hashes)), log_key())
    return log


def _linked(body: Any, digests: Mapping[int, str]) -> Any:
    """A body that names changed entries by their new digests."""
    for item in body["inputs"]:
        folder, _, index = item["name"].rpartition("/")
        if folder == "log" and int(index) in digests:
            item["digest"] = digests[int(index)]
    if body["action"] == "release.prepare":
        _link_chain(body["payload"].get("chain"), digests)
    return body


def _link_chain(value: Any, digests: Mapping[int, str]) -> None:
    if isinstance(value, dict):
        if set(value) == {"index", "digest"} and value["index"] in digests:
            value["digest"] = digests[value["index"]]
        for inner in value.values():
            _link_chain(inner, digests)
    elif isinstance(value, list):
        for inner in value:
            _link_chain(inner, digests)


def _model(body: Any, digests: Mapping[int, str], lines: list[bytes]) -> Any:
    """The model of the release: that of the export, which may be another one now."""
    export = body["payload"].get("chain", {}).get("export", {}).get("index")
    if export not in digests:
        return body["context"]["model"]
    return json.loads(lines[export])["body"]["context"]["model"]


def _later_proof(log: _Log, index: int, packed: int, packed_note: str) -> bytes:
    hashes = log.hashes
    tree = tree_of(hashes)
    note = sign_note(Checkpoint(packed_note.partition("\n")[0], len(hashes), root(hashes)), log_key())
    extra = LaterEntry(log.lines[index], consistency_proof(tree, packed, len(hashes))).extra()
    return TlogProof(index, inclusion_proof(tree, index, len(hashes)), note, extra).text().encode("utf-8")


def _list_of(files: Files) -> bytes:
    said = [
        Manifestation.model_validate(format_of(name, content).read(content)["payload"]["predicate"])
        for name, content in files.items()
        if name.endswith(".dsse.json")
    ]
    return signature_list(said)


def _inner(name: str, content: bytes | None) -> Any:
    """The tree of a file of signatures; None when it has lost its form."""
    try:
        return None if content is None else format_of(name, content).read(content)
    except (ValueError, KeyError, TypeError, MinivessError, IndexError):
        return None


def _entry_in(inner: Any) -> str | None:
    """The entry in a proof of a signature, as text; None: there is none."""
    extra = inner.get("extra") if isinstance(inner, dict) else None
    return json.dumps(extra["entry"], sort_keys=True) if isinstance(extra, dict) and "entry" in extra else None


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _tried(make: Any) -> Any:
    try:
        return make()
    except (ValueError, KeyError, TypeError, MinivessError):
        return None
