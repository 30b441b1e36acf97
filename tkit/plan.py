"""What changes in a model while it is trained, by the step: masks, ranges, centres of clusters."""

from __future__ import annotations


class Plan:
    """Changes that depend on the weights and the step only; steps count from 0 over all epochs."""

    def epoch_begins(self, step: int) -> None:
        """Before an epoch's first step, which is `step`."""

    def before(self, step: int) -> None:
        """Before a call into TensorFlow, whose first step is `step`."""

    def after(self, begun: int, done: int) -> None:
        """After a call into TensorFlow that began at step `begun`; `done` steps are done by now."""
