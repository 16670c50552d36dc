"""Who may ask the service, and whether its model may answer."""
