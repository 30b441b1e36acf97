"""Kernels: trained behind views, pruned, clustered, and read out of exported files."""
