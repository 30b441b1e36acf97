"""Reading a person's own Keras files: what is in them, safely, as a functional model of raw pixels."""
