"""Reads a user's own Keras files safely, as functional models of raw pixels."""
