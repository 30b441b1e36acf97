"""tkit_pipelines: data sources and batches that are a pure function of (seed, epoch, step)."""
