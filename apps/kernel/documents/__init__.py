"""Paper: what every printed document shares. Pure."""
