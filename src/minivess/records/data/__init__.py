"""Facts of data sets: sources, cases, splits, seals, versions and what checks found."""
