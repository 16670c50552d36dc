"""What people state about a model for its card (`model_card` in minivess.yaml)."""

from __future__ import annotations

from minivess.records.base import Record, Statement


class ModelCardFacts(Record):
    """Facts about a model that no record contains. A missing one is shown as "not stated" (Mitchell et al. 2019)."""

    intended_users: Statement | None = None
    """Who uses the device, with which training."""
    out_of_scope: Statement | None = None
    """What the model must not be used for."""
    limitations: Statement | None = None
    """Known limits that the figures do not show."""
    ethics: Statement | None = None
    """What harm the model can do, to whom, and what was done about it."""
