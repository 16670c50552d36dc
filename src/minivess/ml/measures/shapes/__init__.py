"""Skeletons, borders, distances and Betti numbers of masks, from which measures are counted."""
