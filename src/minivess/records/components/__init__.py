"""Records about the components of a device: known vulnerabilities, statements about them, licences."""
