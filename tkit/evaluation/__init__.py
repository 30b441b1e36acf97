"""Evaluation: what a model, in whatever file, gets right and wrong on labelled images."""
