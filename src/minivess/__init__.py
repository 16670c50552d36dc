"""MiniVess: a compliance-first framework for AI segmentation devices."""
