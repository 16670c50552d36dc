"""From files of many formats to cases: libraries read, limits hold, and what is read is normalised and judged."""
