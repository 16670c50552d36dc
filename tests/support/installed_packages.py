"""Packages as installers leave them in an environment, and lock files that name them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from minivess.compliance.results.installed import record_digest


def install(
    site: Path, name: str, version: str, files: Mapping[str, str], origin: Mapping[str, Any] | None = None
) -> dict[str, Path]:
    """Put a distribution into a folder of packages; returns its files by name.

    Args:
        site: the folder.
        name: of the distribution.
        version: of the distribution.
        files: text by path.
        origin: what `direct_url.json` holds, if it is not from a registry.
    """
    about = f"{name}-{version}.dist-info"
    texts = {**files, f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    if origin is not None:
        texts[f"{about}/direct_url.json"] = json.dumps(origin)
    lines = []
    for path, text in texts.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, encoding="utf-8")
        lines.append(f"{path},sha256={record_digest(hashlib.sha256(text.encode()).digest())},{len(text)}")
    (site / about / "RECORD").write_text("\n".join([*lines, f"{about}/RECORD,,"]) + "\n", encoding="utf-8")
    return {path: site / path for path in files}


def lock_of_environment(project: str) -> str:
    """A lock file that names every package of this environment, and a project as its root."""
    known = {one.metadata["Name"].lower().replace("_", "-"): one for one in metadata.distributions()}
    tables = [f'[[package]]\nname = "{project}"\nversion = "0.1.0"\nsource = {{ virtual = "." }}\n']
    for name, one in sorted(known.items()):
        kind = "directory" if one.read_text("direct_url.json") else "registry"
        tables.append(f'[[package]]\nname = "{name}"\nversion = "{one.version}"\nsource = {{ {kind} = "place" }}\n')
    return "version = 1\n\n" + "\n".join(tables)
