"""The stages, one file and one function each: `tkit.stages.fit.fit` and so on; `run` chains them.

A stage's file imports neither TensorFlow nor Keras, so that its documentation is there at once; what needs them is in
the file of its name with an underscore, imported when the stage runs.
"""
