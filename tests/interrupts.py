"""Ctrl-C for the commands that tests start, however the tests themselves were started."""

import signal


def let_commands_hear_interrupts() -> None:
    """Have what is started from here on take SIGINT as from a shell's foreground; this process goes on as before.

    A shell's background job ignores it, and so would every program that it starts. A handler, unlike that, is not
    handed on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)
