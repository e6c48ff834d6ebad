"""The register's rules: how a table of residents is read, and what a row changes of what is known. Pure."""
