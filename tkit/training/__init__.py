"""The fit stage: tkit's training engine on Keras's compiled train function."""
