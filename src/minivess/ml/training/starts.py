"""Weights that training starts from, read from their file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.ml.models.weight_files import SIZE_LIMIT, State, parse_weights
from minivess.ml.models.weights import start_from, weights_digest
from minivess.records.models.start import PretrainingData, StartRecord


@dataclass(frozen=True)
class LoadedStart:
    """Named tensors and where they came from."""

    state: State
    path: Path
    trained_on: PretrainingData
    allow: tuple[str, ...] = ()
    licence: str | None = None

    def give(self, network: torch.nn.Module) -> StartRecord:
        """Give a network the tensors.

        Raises:
            InputError: they do not fit the network; the message names the first tensor.
        """
        fresh, unused = start_from(network, self.state, allow=self.allow, path=self.path)
        return StartRecord(
            weights=weights_digest(self.state),
            trained_on=self.trained_on,
            fresh=fresh,
            unused=unused,
            licence=self.licence,
        )


@implements("REQ-329", "RC-138")
def read_foreign(path: Path, digest: Digest) -> State:
    """The tensors of a file from outside, which is compared with its digest before anything of it is parsed.

    Raises:
        InputError: the file is missing, too large, damaged, or holds anything but tensors.
        VerificationError: it has another digest.
    """
    data = read_limited(path, limit=SIZE_LIMIT)
    if (found := digest_bytes(data)) != digest:
        raise VerificationError(
            f"{path.name} has the digest {found}, and training.start.digest is {digest}",
            hint="get the file again, or correct the digest if this file is the one you mean",
        )
    return parse_weights(data, path=path)
