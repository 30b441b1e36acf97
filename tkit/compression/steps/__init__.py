"""Compression steps, one file each (the file's name is the `kind`): a trained model in, a smaller one out."""
