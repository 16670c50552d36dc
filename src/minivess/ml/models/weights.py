"""Weights of networks as files and digests.

A weights digest is of the tensors, not of the file around them: it is the same on every machine and for every file format.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch

from minivess.foundation.digests import Digest
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements

_LIMIT = 2 << 30

_OTHER_NETWORK = "the weights are of another network: compare model in minivess.yaml with the run that made them"

State = Mapping[str, torch.Tensor]
"""A state dictionary: tensors by name."""


def weights_digest(state: State) -> Digest:
    """The digest of the tensors in order of name.

    Each tensor contributes a line of JSON `[name, dtype, shape]`, then its elements, row-major and little-endian.
    """
    digest = hashlib.sha256(b"minivess-weights/1\n")
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        header = json.dumps([name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)], ensure_ascii=True)
        digest.update(header.encode("ascii") + b"\n")
        array = tensor.numpy()
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return f"sha256:{digest.hexdigest()}"


def save_weights(path: Path, state: State) -> Digest:
    """Write the tensors as a PyTorch file, whole or not at all, and return their digest.

    Raises:
        CouldNotCheckError: the disk is full or out of reach.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    buffer = io.BytesIO()
    torch.save(plain, buffer)
    write_atomic(path, buffer.getvalue())
    return weights_digest(plain)


def load_weights(path: Path, *, expected: Digest | None = None) -> dict[str, torch.Tensor]:
    """Read tensors written by `save_weights`; the file may hold nothing but tensors (`weights_only`).

    Args:
        path: the file.
        expected: the digest the tensors must have, when it is known.

    Raises:
        InputError: the file is missing, too large, damaged, or holds something other than named tensors.
        VerificationError: the tensors have another digest.
    """
    data = read_limited(path, limit=_LIMIT)
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "is no weights file, or a damaged one", path=path, hint="train the member again: minivess train"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise InputError("holds something other than named tensors", path=path)
    if expected is not None and (found := weights_digest(state)) != expected:
        raise VerificationError(
            f"{path.name} holds other weights ({found[:19]}…) than recorded ({expected[:19]}…)",
            hint="restore the file, or train the member again",
        )
    return dict(state)


@implements("REQ-321")
def fill(network: torch.nn.Module, state: State, *, path: Path | None = None) -> None:
    """Give a network tensors by name: all of its own and no others, each of its shape.

    Raises:
        InputError: a tensor is missing, is not the network's, or has another shape; the message names the first.
    """
    own = network.state_dict()
    for name in sorted({*own, *state}):
        if name not in state:
            raise InputError(f"has no tensor {name}, which the network needs", path=path, hint=_OTHER_NETWORK)
        if name not in own:
            raise InputError(f"has a tensor {name}, which the network has not", path=path, hint=_OTHER_NETWORK)
        if state[name].shape != own[name].shape:
            raise InputError(
                f"has {name} of shape {tuple(state[name].shape)}, and the network needs {tuple(own[name].shape)}",
                path=path,
                hint=_OTHER_NETWORK,
            )
    network.load_state_dict(dict(state))
