"""Weights of networks as files and digests.

A weights digest is of the tensors, not of the file around them: it is the same on every machine and for every file format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from minivess.foundation.digests import Digest
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.ml.models.weight_files import SIZE_LIMIT, State, parse_weights

_OTHER_NETWORK = "the weights are of another network: compare model in minivess.yaml with the run that made them"
_WORDS = {torch.bfloat16: torch.int16, torch.float8_e4m3fn: torch.uint8, torch.float8_e5m2: torch.uint8}
"""Types that NumPy does not have, and a type of the same size that it has."""


def weights_digest(state: State) -> Digest:
    """The digest of the tensors in order of name.

    Each tensor contributes a line of JSON `[name, dtype, shape]`, then its elements, row-major and little-endian.
    """
    digest = hashlib.sha256(b"minivess-weights/1\n")
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        header = json.dumps([name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)], ensure_ascii=True)
        digest.update(header.encode("ascii") + b"\n")
        array = tensor.view(_WORDS.get(tensor.dtype, tensor.dtype)).numpy()
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return f"sha256:{digest.hexdigest()}"


@implements("REQ-328")
def save_weights(path: Path, state: State) -> Digest:
    """Write the tensors as a safetensors file, whole or not at all, and return their digest.

    Each tensor keeps its type. The same tensors give the same bytes.

    Raises:
        CouldNotCheckError: the disk is full or out of reach.
    """
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    write_atomic(path, save(plain))
    return weights_digest(plain)


@implements("REQ-328")
def load_weights(path: Path, *, expected: Digest | None = None) -> dict[str, torch.Tensor]:
    """Read tensors written by `save_weights`, or by version 0.1.0 as a PyTorch zip file.

    Args:
        path: the file.
        expected: the digest the tensors must have, when it is known.

    Raises:
        InputError: the file is missing, too large, damaged, or holds something other than named tensors.
        VerificationError: the tensors have another digest.
    """
    try:
        state = parse_weights(read_limited(path, limit=SIZE_LIMIT), path=path)
    except InputError as error:
        error.hint = "train the member again: minivess train"
        raise
    if expected is not None and (found := weights_digest(state)) != expected:
        raise VerificationError(
            f"{path.name} holds other weights ({found[:19]}…) than recorded ({expected[:19]}…)",
            hint="restore the file, or train the member again",
        )
    return state


@implements("REQ-321")
def fill(network: torch.nn.Module, state: State, *, path: Path | None = None) -> None:
    """Give a network tensors by name: all of its own and no others, each of its shape.

    Raises:
        InputError: a tensor is missing, is not the network's, or has another shape; the message names the first.
    """
    for _, fault in _misfits(network.state_dict(), state):
        raise InputError(fault, path=path, hint=_OTHER_NETWORK)
    network.load_state_dict(dict(state))


@implements("REQ-329")
def start_from(
    network: torch.nn.Module, state: State, *, allow: Sequence[str] = (), path: Path | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give a network the tensors that training starts from.

    Args:
        network: with the weights that its seed drew.
        state: tensors by name.
        allow: first components of names (`head` is `head.weight`, not `header.weight`), below which tensors need not fit.
        path: the file, for messages.

    Returns:
        The network's tensors that keep the values of the seed, and the tensors of the file that are not used.

    Raises:
        InputError: a tensor that is not allowed to differ does, a name in `allow` is of no such tensor, or a value is not
            finite; the message names it.
    """
    own, hint = network.state_dict(), f"{_OTHER_NETWORK}; training.start.allow names parts that may differ"
    for name in allow:
        if not any(_below(tensor, name) for tensor in (*own, *state)):
            raise InputError(
                f"allow names {name}, and neither the network nor the file has such a tensor", path=path, hint=hint
            )
    apart = {}
    for name, fault in _misfits(own, state):
        if not any(_below(name, prefix) for prefix in allow):
            raise InputError(fault, path=path, hint=hint)
        apart[name] = fault
    taken = {name: tensor for name, tensor in state.items() if name in own and name not in apart}
    if not taken:
        raise InputError("has no tensor that fits the network", path=path, hint=hint)
    for name, tensor in taken.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise InputError(f"has values in {name} that are not finite", path=path, hint="the weights are unusable")
    network.load_state_dict(taken, strict=False)
    fresh = tuple(sorted(name for name in own if name not in taken))
    return fresh, tuple(sorted(name for name in state if name not in taken))


def _misfits(own: State, state: State) -> Iterator[tuple[str, str]]:
    """Each tensor that is not in both or differs in shape or kind, in order of name, and what is wrong with it."""
    for name in sorted({*own, *state}):
        if name not in state:
            yield name, f"has no tensor {name}, which the network needs"
        elif name not in own:
            yield name, f"has a tensor {name}, which the network has not"
        elif state[name].shape != own[name].shape:
            shapes = f"{tuple(state[name].shape)}, and the network needs {tuple(own[name].shape)}"
            yield name, f"has {name} of shape {shapes}"
        elif state[name].is_floating_point() != own[name].is_floating_point():
            kinds = f"{state[name].dtype}, and the network needs {own[name].dtype}".replace("torch.", "")
            yield name, f"has {name} of type {kinds}"


def _below(name: str, part: str) -> bool:
    return name == part or name.startswith(part.rstrip(".") + ".")
