"""The check of a release before it is built."""

from __future__ import annotations

import pytest

from minivess.compliance.release.chain import propose_chain
from minivess.foundation.errors import RefusedError
from minivess.workflows.release.check import refuse_unknown
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import VERSION

pytestmark = pytest.mark.verifies("REQ-229", "SU-40")


def test_an_entry_of_version_0_1_0_is_named_with_the_command_of_its_step() -> None:
    log = small_pack().before()
    chain = propose_chain(log.entries, VERSION)
    refuse_unknown(chain, log.known.entries)
    old = {index for index in log.known.entries if index > chain.ingest.index}
    with pytest.raises(
        RefusedError, match=f"entry {chain.ingest.index} \\(data.ingest\\) is older than the action table"
    ) as caught:
        refuse_unknown(chain, old)
    assert caught.value.hint.endswith("`minivess data ingest`")
