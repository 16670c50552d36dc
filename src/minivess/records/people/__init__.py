"""Facts of those who act: identities, roles and approvals."""
