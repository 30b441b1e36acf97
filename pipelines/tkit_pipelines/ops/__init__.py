"""The augmentation ops, one a file."""
