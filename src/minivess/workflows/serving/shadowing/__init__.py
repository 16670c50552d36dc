"""A candidate model beside the one in production."""
