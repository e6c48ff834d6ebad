"""Paper: the letters that tell residents of their cards, as PDF. Pure."""
