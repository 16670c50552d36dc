"""Who may append what to a log: the published action tables, the state of a log, and one pure `admit`."""
