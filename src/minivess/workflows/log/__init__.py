"""The audit log in use: inspection, witnesses, attested times, restores and the table of actions."""
