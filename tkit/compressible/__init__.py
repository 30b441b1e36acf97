"""Models that are made smaller while they are trained: by tkit's engine or by a training loop of one's own."""
