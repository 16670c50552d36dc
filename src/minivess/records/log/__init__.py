"""Facts of the audit log: entries, payloads, receipts, witnesses and the table of actions."""
