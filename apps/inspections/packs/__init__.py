"""Evidence packs: their frame, their tables, what their columns mean, their summary. Pure."""
