"""Passes over a functional model's graph, each returning an equivalent model that the next stage supports."""
