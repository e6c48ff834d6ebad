"""A year with frauds planted in it, to see which of them the rules of alarms find and what else they raise."""
