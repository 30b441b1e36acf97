"""Sensitivity analysis: which layers cost an int8 model its accuracy, why, and what helps."""
