"""The page of the service for people, and the pictures that it shows."""
