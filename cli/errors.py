"""What ends a command: one sentence and, where there is one, the thing to change."""


class CommandError(Exception):
    """A command cannot go on; printed as one line, exit code 1."""

    def __init__(self, detail: str, hint: str | None = None) -> None:
        super().__init__(detail if hint is None else f"{detail} {hint}")
        self.detail = detail
        self.hint = hint


class Interrupted(CommandError):
    """The user broke the command off; says what goes on without it, exit code 130."""


class StopSignal(BaseException):
    """A signal asked the stack to stop. Not an error, and nothing on the way may catch it as one."""


class StackError(CommandError):
    """A part of the embedded stack cannot run."""
