"""From files to arrays with a known place, spacing and meaning."""
