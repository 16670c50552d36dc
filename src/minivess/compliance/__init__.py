"""The compliance wing: proofs, identities, the audit log, traceability, risk, evidence and its verification."""
