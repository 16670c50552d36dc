"""Files of weights that are damaged, or hold more than tensors."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save


class Code:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def torch_file(value: Any) -> bytes:
    """What `torch.save` writes."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def with_header(header: Mapping[str, Any] | str, data: bytes = b"") -> bytes:
    """A safetensors file of any header."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return len(text).to_bytes(8, "little") + text + data


def _entry(start: int, end: int, shape: tuple[int, ...] = (1,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def _compressed(state: Mapping[str, torch.Tensor]) -> bytes:
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(torch_file(dict(state)))) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for one in old.infolist():
            new.writestr(one.filename, old.read(one))
    return target.getvalue()


STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.zeros(2)}

DAMAGED: Mapping[str, Callable[[Path], bytes]] = {
    "that is a pickle with code": lambda path: pickle.dumps(Code(path)),
    "that is a PyTorch file with code": lambda path: torch_file({"weight": Code(path)}),
    "with a header of 100 MB": lambda _: (100 << 20).to_bytes(8, "little") + b"{}" + bytes(64),
    "that is cut off": lambda _: save(STATE)[:-1],
    "with 30,000 tensors": lambda _: with_header({str(number): _entry(0, 0, (0,)) for number in range(30_000)}),
    "with a tensor that is there twice": lambda _: with_header(
        json.dumps({"a": _entry(0, 4), "b": _entry(4, 8)}).replace('"b"', '"a"'), bytes(8)
    ),
    "with a tensor larger than its values": lambda _: with_header({"a": _entry(0, 4, (2,))}, bytes(4)),
    "whose tensor repeats one value forever": lambda _: torch_file({"a": torch.zeros(1).expand(1 << 30)}),
    "with a compressed part": lambda _: _compressed(STATE),
    "of complex numbers": lambda _: save({"a": torch.zeros(2, dtype=torch.complex64)}),
}
"""The content of a file by what is wrong with it; code in it would make the file at the path."""
