"""Where things lie in a workspace, and where the templates lie that the package brings along."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.implements import implements

PROJECT_FILE = "minivess.yaml"
_NOT_IN_PATHS = {
    "Cc": "a control character",
    "Cs": "a byte that is not UTF-8",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
"""Categories of characters (Unicode Standard, table 4-4) that the path of a project must not contain."""


@implements("REQ-249")
def check_project_path(folder: Path) -> None:
    """Refuse a project folder whose path cannot be written on one line of UTF-8 text.

    Logs, URLs, configuration files and messages hold paths as lines of text. All other characters are allowed.

    Args:
        folder: need not exist; its parents count too.

    Raises:
        UsageError: the path contains a control character, a line separator or a byte that is not UTF-8.
    """
    for char in str(folder.absolute()):
        lack = _NOT_IN_PATHS.get(unicodedata.category(char))
        if lack is not None:
            raise UsageError(
                f"the path of the project folder contains {lack} ({char!a})",
                hint="rename the folder; spaces and all printable characters are allowed",
            )


@dataclass(frozen=True)
class Workspace:
    """A project folder: the project file, the keys, the data, the models, the working evidence and the releases."""

    root: Path

    @classmethod
    def find(cls, folder: Path) -> Workspace:
        """The workspace whose project file lies in `folder`.

        Raises:
            UsageError: there is no project file, or the path cannot be that of a project (`check_project_path`).
        """
        check_project_path(folder)
        if not (folder / PROJECT_FILE).is_file():
            raise UsageError(
                f"no {PROJECT_FILE} in {folder}",
                hint="`minivess init FOLDER` starts a project; `minivess -C FOLDER …` names another folder",
            )
        root = folder.resolve()
        check_project_path(root)
        return cls(root)

    @property
    def project_file(self) -> Path:
        """The project file."""
        return self.root / PROJECT_FILE

    @property
    def keystore(self) -> Path:
        """Wrapped private keys of the log, of services and of demonstrations."""
        return self.root / "keystore"

    @property
    def people(self) -> Path:
        """Public records of the people of this project, one file each."""
        return self.root / "people"

    @property
    def data(self) -> Path:
        """Manifest, validation, split, version and the cases."""
        return self.root / "data"

    @property
    def prepared(self) -> Path:
        """Normalised plain cases."""
        return self.data / "prepared"

    @property
    def staged(self) -> Path:
        """Cases that were read and are not yet prepared, because other cases have findings that block."""
        return self.data / "staged"

    @property
    def measures(self) -> Path:
        """What validation measured of each case, remembered."""
        return self.data / "measures.jsonl"

    @property
    def sealed(self) -> Path:
        """The encrypted test part."""
        return self.data / "sealed"

    @property
    def models(self) -> Path:
        """Members, ensemble, calibration, export."""
        return self.root / "models"

    @property
    def training_cases(self) -> Path:
        """Preprocessed copies of the cases that members learn from; they can be made again."""
        return self.models / "cases"

    @property
    def export(self) -> Path:
        """The folder of the exported model, which is evaluated, served and released; version 0.1.0 put it into `models`."""
        made = self.models / "export"
        return self.models if not made.is_dir() and (self.models / "model.onnx").is_file() else made

    @property
    def model_signature(self) -> Path:
        """The signature over the folder of the exported model (OpenSSF Model Signing)."""
        return self.models / "model.sig"

    @property
    def model_signing_key(self) -> Path:
        """The public key of this signature."""
        return self.models / "model-signing.pem"

    @property
    def onnx(self) -> Path:
        """The first graph of the exported model."""
        return self.export / "model.onnx"

    @property
    def evidence(self) -> Path:
        """The working evidence store."""
        return self.root / "evidence"

    @property
    def serving(self) -> Path:
        """The services' own logs, one file a site."""
        return self.evidence / "serving"

    @property
    def test_set(self) -> Path:
        """Keys of single openings, wrapped to those who asked."""
        return self.evidence / "test-set"

    @property
    def evaluation(self) -> Path:
        """The evaluation record and its figures."""
        return self.evidence / "evaluation"

    @property
    def results(self) -> Path:
        """Results of the scenarios."""
        return self.evidence / "verification" / "results.json"

    @property
    def qualification(self) -> Path:
        """The report of the last qualification of this software."""
        return self.evidence / "qualification"

    @property
    def scan(self) -> Path:
        """The last look into a database of advisories."""
        return self.evidence / "components" / "scan.json"

    def release(self, version: str) -> Path:
        """The folder of one release."""
        return self.root / "release" / version

    def name(self, path: Path) -> str:
        """The name of a file in entries: relative to the workspace, with slashes."""
        return path.resolve().relative_to(self.root.resolve()).as_posix()


def templates_folder() -> Path:
    """The templates of documents: beside the package in a wheel, at the top of the tree in a clone.

    Raises:
        CouldNotCheckError: the installation is incomplete.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "templates", package.parents[1] / "templates"):
        if (folder / "verify" / "verify.py").is_file():
            return folder
    raise CouldNotCheckError("the templates are missing from this installation", hint="install minivess again")


def release_policy() -> Path:
    """The release gates this package starts projects with: beside the templates in a wheel, `release/` in a clone."""
    templates = templates_folder()
    shipped = templates / "project" / "policy.yaml"
    return shipped if shipped.is_file() else templates.parent / "release" / "policy.yaml"


def component_policy() -> Path:
    """What this package accepts in its own components: beside the templates in a wheel, in `release/` in a clone."""
    templates = templates_folder()
    shipped = templates / "project" / "components.yaml"
    return shipped if shipped.is_file() else templates.parent / "release" / "components.yaml"
