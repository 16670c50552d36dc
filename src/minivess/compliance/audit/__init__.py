"""The append-only audit log: one signed entry an action, in a Merkle tree with signed checkpoints."""
