"""Kernels: trained through views, pruned, clustered, and read from exported files."""
