"""Opening cases and working on them."""
