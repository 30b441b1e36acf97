"""The export stage: .tflite files, each checked against the trained model."""
