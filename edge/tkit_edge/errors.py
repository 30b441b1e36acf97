"""The errors a user can cause, each with the exit code that the commands end with.

Everything raised for a user's mistake derives from `TkitError`; the command line prints its message alone.
Anything else is a programming error and keeps its traceback (exit code 1).
"""


class TkitError(Exception):
    """A user's mistake or an unmet condition; the message tells what came, what was expected and what to do."""

    exit_code = 2


class InputError(TkitError):
    """Bad input: an unknown name, a wrong value, a damaged or missing file."""

    exit_code = 2


class BoundError(TkitError):
    """A measured figure is past the bound the recipe sets (a parity gate, for one).

    Args:
        message: what was measured, and the bound.
        figures: all that was measured, as JSON values.
    """

    exit_code = 3

    def __init__(self, message: str, figures: object = None) -> None:
        super().__init__(message)
        self.figures = figures


class DivergedError(TkitError):
    """Training produced a loss that is not finite."""

    exit_code = 4


class StoppedError(TkitError):
    """Work that a signal ended in order, and that can go on; the exit code is 128 + the signal's number."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum
