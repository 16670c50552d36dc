"""The evidence room: SBOM, SOUP list, documents, the start page, gates, and the packing of all of it into one bag."""
