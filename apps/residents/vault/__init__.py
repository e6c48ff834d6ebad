"""The vault's rules: its keys, how a column is sealed and found again, and what is in it. Pure."""
