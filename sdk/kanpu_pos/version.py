"""The version of this library, as in pyproject.toml; sent to the server as `User-Agent`."""

from typing import Final

VERSION: Final = "0.1.0"
