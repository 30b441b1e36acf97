"""Compression: a trained model in, a smaller one out, with proofs."""
