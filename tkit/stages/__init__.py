"""The stages, one file and one function each: `tkit.stages.fit.fit` and so on; `run` chains them."""
