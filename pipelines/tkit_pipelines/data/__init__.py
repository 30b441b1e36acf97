"""Data sets, one file per kind: the settings of one, and how it is loaded and fed."""
