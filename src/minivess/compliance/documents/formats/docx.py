"""A document as DOCX, written by pandoc as a separate program.

Pandoc reads the document from its own JSON, in its sandbox, and takes styles and page from `reference.docx`. The reference has
the running head and “page x of y”; `{{HEAD}}` in it becomes device, version, document id and title.
"""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape

from minivess.compliance.documents.formats.pandoc_ast import PandocWriter
from minivess.compliance.documents.formats.pdf import Imprint
from minivess.compliance.documents.formats.pictures import Picture, pictures_of
from minivess.compliance.documents.model.blocks import DocumentModel
from minivess.foundation.errors import CouldNotCheckError, InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements

HEAD = "{{HEAD}}"
_LIMIT = 8 << 20
_SECONDS = 300
_FIRST_OF_1980 = (1980, 1, 1, 0, 0, 0)


@implements("REQ-505")
def docx_of(document: DocumentModel, imprint: Imprint, files: Mapping[str, bytes], reference: Path) -> bytes:
    """A document as DOCX.

    Args:
        document: the model.
        imprint: what running head and metadata state.
        files: of the pack, by name relative to `data/`: its pictures.
        reference: a DOCX with the styles, the page, the running head and the foot.

    Raises:
        CouldNotCheckError: pandoc cannot write it; the message is its own.
        InputError: a picture is missing, or the reference is no DOCX.
    """
    import pypandoc  # of the extra `documents`

    pictures = {block: _drawn(picture) for block, picture in pictures_of(document.body, files).items()}
    writer = PandocWriter(document, pictures)
    text = json.dumps(writer.document(author=imprint.author, day=f"{imprint.time:%Y-%m-%d}"))
    head = f"{imprint.device} · {document.identifier} · {document.title}"
    with TemporaryDirectory(prefix="minivess-docx-") as folder:
        own = Path(folder) / "reference.docx"
        own.write_bytes(_with_head(reference, head))
        command = [
            pypandoc.get_pandoc_path(),
            "--from=json",
            "--to=docx",
            "--sandbox",
            f"--reference-doc={own}",
            "--output=-",
        ]
        done = subprocess.run(
            command,
            input=text.encode("utf-8"),
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            env={"SOURCE_DATE_EPOCH": str(int(imprint.time.timestamp()))},
        )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CouldNotCheckError(
            f"{document.name}.docx cannot be written: {said[-1] if said else 'pandoc failed'}",
            hint="the page of the document has the same content; report the message",
        )
    return done.stdout


def _with_head(reference: Path, head: str) -> bytes:
    """The reference with the running head of one document, in a zip without times."""
    content = read_limited(reference, limit=_LIMIT)
    out = BytesIO()
    try:
        with zipfile.ZipFile(BytesIO(content)) as known, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            if sum(one.file_size for one in known.infolist()) > 8 * _LIMIT:
                raise InputError("is too large when it is unpacked", path=reference.name)
            for name in sorted(known.namelist()):
                part = known.read(name)
                if name.startswith(("word/header", "word/footer")):
                    part = part.replace(HEAD.encode("utf-8"), escape(head).encode("utf-8"))
                made.writestr(zipfile.ZipInfo(name, _FIRST_OF_1980), part)
    except zipfile.BadZipFile:
        raise InputError("is no DOCX", path=f"templates/documents/{reference.name}", hint="save it as DOCX") from None
    return out.getvalue()


def _drawn(picture: Picture) -> Picture:
    """A picture that every word processor shows: drawings become PNG."""
    if picture.kind != "svg":
        return picture
    import typst  # of the extra `documents`

    with TemporaryDirectory(prefix="minivess-drawing-") as folder:
        root = Path(folder)
        (root / "drawing.svg").write_bytes(picture.content)
        (root / "drawing.typ").write_text(
            '#set page(width: auto, height: auto, margin: 0pt)\n#image("drawing.svg")\n', encoding="utf-8"
        )
        made = typst.compile(root / "drawing.typ", root=root, format="png", ppi=150, ignore_system_fonts=True)
    if not isinstance(made, bytes):
        raise CouldNotCheckError("a drawing is larger than a page")
    return Picture(made, "png")
