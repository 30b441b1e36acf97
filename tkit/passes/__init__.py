"""Passes over a functional model's graph, each giving an equal model that the next stage can work with."""
