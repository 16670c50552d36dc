"""Find the parts of the platform that this process runs on. No library for machine learning is imported."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import re
import sqlite3
import ssl
import sys
from pathlib import Path

from minivess.foundation.implements import implements
from minivess.records.items.platform_parts import NONE, PlatformPart

_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_BUILT_FOR = re.compile(r"^cuda\b[^=]*=\s*'([0-9.]+)'", re.MULTILINE)


@implements("REQ-264", "RC-119")
def platform_parts() -> tuple[PlatformPart, ...]:
    """Python, each OpenSSL, SQLite, the operating system, and CUDA of the driver and of PyTorch (`none` where it is not)."""
    from cryptography.hazmat.backends.openssl.backend import backend

    name, version = operating_system()
    parts = [
        PlatformPart(kind="python", name=platform.python_implementation(), version=platform.python_version()),
        _tls(ssl.OPENSSL_VERSION, "Python"),
        _tls(backend.openssl_version_text(), "cryptography"),
        PlatformPart(kind="sqlite", name="SQLite", version=sqlite3.sqlite_version),
        PlatformPart(kind="operating-system", name=name, version=version),
        PlatformPart(kind="cuda", name="CUDA", version=_cuda_of_driver(), part_of="driver"),
    ]
    built = _cuda_of_torch()
    if built is not None:
        parts.append(PlatformPart(kind="cuda", name="CUDA", version=built, part_of="PyTorch"))
    return tuple(parts)


def operating_system() -> tuple[str, str]:
    """Name and version of the operating system: of the distribution on Linux (os-release), else as the system states them."""
    try:
        said = platform.freedesktop_os_release()
    except OSError:
        said = {}
    version = next((said[key] for key in ("VERSION_ID", "BUILD_ID", "VERSION_CODENAME") if said.get(key)), "")
    if said and version:
        return said["NAME"][:200], version[:200]
    if sys.platform == "darwin":
        return "macOS", platform.mac_ver()[0] or platform.release()
    return said.get("NAME", platform.system() or sys.platform)[:200], platform.release() or "not stated"


def _tls(text: str, brought_by: str) -> PlatformPart:
    """A library for TLS from what it calls itself, for example `OpenSSL 3.0.13 30 Jan 2024`."""
    name, _, rest = text.partition(" ")
    return PlatformPart(kind="openssl", name=name, version=rest.split(" ")[0] or text, part_of=brought_by)


def _cuda_of_driver() -> str:
    """The newest CUDA that the driver supports, as the driver states it."""
    version = ctypes.c_int(0)
    try:
        failed = ctypes.CDLL(_DRIVERS[sys.platform]).cuDriverGetVersion(ctypes.byref(version))
    except (KeyError, OSError, AttributeError):
        return NONE
    return NONE if failed or version.value < 1000 else f"{version.value // 1000}.{version.value % 1000 // 10}"


def _cuda_of_torch() -> str | None:
    """The CUDA that PyTorch was built for; None where there is no PyTorch."""
    try:
        found = importlib.util.find_spec("torch")
        if found is None or found.origin is None:
            return None
        text = (Path(found.origin).parent / "version.py").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    match = _BUILT_FOR.search(text)
    return match[1] if match else NONE
