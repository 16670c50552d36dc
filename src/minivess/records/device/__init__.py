"""The device as a project: the project file and the policy of its releases."""
