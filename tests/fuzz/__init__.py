"""Bytes from outside, and what reads them: targets for Atheris (`make fuzz-bytes`) and for Hypothesis."""
