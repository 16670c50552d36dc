"""Offline judgement of a log, a receipt or an evidence pack; shares no storage with what it judges."""
