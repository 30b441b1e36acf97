"""tkit's functions for training loops of one's own: they take and give `keras.Model`s."""
