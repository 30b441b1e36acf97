"""The export stage: .tflite files, each shown to agree with the model that was trained."""
