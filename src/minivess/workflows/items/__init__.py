"""Items of a source tree: exchanged with other tools, compared with revisions, described for editors."""
