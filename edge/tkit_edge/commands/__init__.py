"""The commands of `tkit-edge`, one file each: `add` describes its options, `run` imports what it needs."""
