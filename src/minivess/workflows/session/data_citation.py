"""Which version of the data an entry cites: found in the workspace, as the commit of the source tree is."""

from __future__ import annotations

from pathlib import Path

import yaml

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import read_json_record
from minivess.records.data.version import DataVersion
from minivess.records.device.workspace_files import VERSION

_LIMIT = 1 << 20


@implements("REQ-016", "REQ-096")
def data_version_of(workspace: Path, root: str | None) -> dict[str, str]:
    """The digests of the data as they are known now: fields of an entry's context.

    After the sealing: the split's root and the DVC digest of the prepared and sealed cases. Before it: the DVC digest of
    the raw data, once they are under DVC. Nothing while there is neither.

    Args:
        workspace: the project folder.
        root: `data.root` of the project file.

    Raises:
        InputError: the file that says it is malformed.
    """
    path = workspace / VERSION
    if path.is_file():
        version = read_json_record(
            path,
            DataVersion,
            shown=VERSION,
            wrong="is not what sealing wrote",
            hint="put it back, or run minivess data seal again",
            limit=_LIMIT,
        )
        return {"data": version.split, "dvc": version.dvc}
    digest = None if root is None else raw_digest(workspace, root)
    return {} if digest is None else {"dvc": digest}


def raw_digest(workspace: Path, root: str) -> str | None:
    """The digest in the `.dvc` file of the raw data; None while they are not under DVC.

    Raises:
        InputError: the `.dvc` file is malformed.
    """
    path = workspace / root
    pointer = path.with_name(f"{path.name}.dvc")
    if not path.name or not pointer.is_file():
        return None
    try:
        return f"md5:{yaml.safe_load(read_limited(pointer, limit=_LIMIT))['outs'][0]['md5']}"
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        raise InputError("is no file of DVC", path=pointer.name, hint="run minivess data add again") from None
