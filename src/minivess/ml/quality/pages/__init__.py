"""Reports about data as pages, with pictures and figures."""
