"""The data sources, one a file."""
