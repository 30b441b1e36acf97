"""The sources of texts, one a file."""
