"""Known vulnerabilities of locked packages: reading advisories, finding what they affect, and statements about it."""
