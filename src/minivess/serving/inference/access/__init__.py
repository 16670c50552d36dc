"""Who may call the service, how often, and what each answer says to browsers."""
