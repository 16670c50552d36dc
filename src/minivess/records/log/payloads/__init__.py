"""What each action may say in its entry: one closed record an action, so that nothing undeclared (and no PHI) slips in."""
