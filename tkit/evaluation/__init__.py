"""Evaluation: what a model, in any file format, gets right and wrong on labelled images."""
