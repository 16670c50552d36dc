"""Files of named tensors: safetensors, and PyTorch zip files of state dictionaries.

No file is executed. Size, length of the header and number of tensors are limited before a tensor is made. Format of
safetensors: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

SIZE_LIMIT: Final = 2 << 30
"""Bytes of a file, and of all its tensors."""
HEADER_LIMIT: Final = 16 << 20
"""Bytes of the header of a safetensors file, and of the directory of tensors in a PyTorch file."""
COUNT_LIMIT: Final = 20_000
"""Tensors in a file."""

DTYPES: Final = frozenset(
    {
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
        torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
    }
)  # fmt: skip
"""Types of elements that are read and kept."""

State = Mapping[str, torch.Tensor]
"""A state dictionary: tensors by name."""

_CONVERT = "save it as safetensors: names and tensors, nothing else"


@implements("REQ-328", "RC-138")
def parse_weights(data: bytes, *, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by name, on the CPU, each of the type that the file has.

    Args:
        data: the content of the file.
        path: its name for messages.

    Raises:
        InputError: the file is damaged or too large, is of another format, or holds anything but named tensors.
    """
    if data[:4] == b"PK\x03\x04":
        state = _pytorch(data, path)
    else:
        _check_header(data, path)
        state = _safetensors(data, path)
    _check_tensors(state, path)
    return state


def _check_header(data: bytes, path: Path) -> None:
    """Limit what the header of a safetensors file announces."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or data[8:9] != b"{":
        raise InputError("is neither a safetensors file nor a PyTorch zip file", path=path, hint=_CONVERT)
    if length > HEADER_LIMIT:
        raise InputError(f"has a header of {length} bytes; at most {HEADER_LIMIT} are read", path=path, hint=_CONVERT)
    if length > len(data) - 8:
        raise InputError("is cut off in its header", path=path, hint="copy or download the file again")
    try:
        pairs: list[tuple[str, Any]] = json.loads(data[8 : 8 + length], object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise InputError("has a header that is not JSON", path=path, hint="copy or download the file again") from None
    names = [name for name, _ in pairs if name != "__metadata__"]
    _check_count(len(names), path)
    if twice := next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None:
        raise InputError(f"has the tensor {twice} twice", path=path, hint=_CONVERT)


def _check_count(count: int, path: Path) -> None:
    if count > COUNT_LIMIT:
        raise InputError(f"has {count} tensors; at most {COUNT_LIMIT} are read", path=path)


def _safetensors(data: bytes, path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise InputError(
            "is a damaged safetensors file: header and values do not fit each other",
            path=path,
            hint="copy or download the file again",
        ) from error


def _pytorch(data: bytes, path: Path) -> dict[str, torch.Tensor]:
    """The state dictionary of a file that `torch.save` made (PyTorch 1.6 or newer)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError("is a damaged PyTorch zip file", path=path, hint="copy or download the file again") from error
    _check_count(len(parts), path)
    if (
        any(one.compress_type != zipfile.ZIP_STORED for one in parts)
        or sum(one.file_size for one in parts) > SIZE_LIMIT
    ):
        raise InputError("is compressed or too large, as PyTorch writes no weights", path=path, hint=_CONVERT)
    if any(one.filename.endswith(".pkl") and one.file_size > HEADER_LIMIT for one in parts):
        raise InputError(f"has more than {HEADER_LIMIT} bytes beside its tensors", path=path, hint=_CONVERT)
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            "holds objects or code besides tensors, which are not read", path=path, hint=_CONVERT
        ) from error
    except Exception as error:  # a damaged stream leads the reader of PyTorch to errors of any type
        raise InputError("is a damaged PyTorch zip file", path=path, hint="copy or download the file again") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise InputError("holds something other than named tensors", path=path, hint=_CONVERT)
    return dict(state)


def _check_tensors(state: State, path: Path) -> None:
    """Refuse tensors that are no plain arrays, or larger than the file that they came from may be."""
    if not state:
        raise InputError("has no tensor", path=path)
    size = 0
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.dtype not in DTYPES:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise InputError(f"has the tensor {name!r} of a kind that is not read ({kind})", path=path, hint=_CONVERT)
        if tensor.device.type != "cpu":
            raise InputError(f"has the tensor {name!r} without values", path=path, hint=_CONVERT)
        size += tensor.numel() * tensor.element_size()
    if size > SIZE_LIMIT:
        raise InputError(f"has tensors of {size} bytes; at most {SIZE_LIMIT} are read", path=path)
