"""A synthetic national sample: a year's purchases through the real operations, and what that means for Japan."""
