"""Threads in which torch takes one core and no more."""

import threading

import torch


def use_one_core(threads_elsewhere: int) -> None:
    """Let torch work on this thread alone: beside a training, cores that wait for each other take ten times as long.

    Setting a thread's number also sets what threads begin with that have not used torch yet. Another thread sets that
    back to ``threads_elsewhere``, while this one keeps its own.
    """
    torch.get_num_threads()  # a thread's first question sets its number to the common one, so it is asked before
    torch.set_num_threads(1)
    restorer = threading.Thread(target=torch.set_num_threads, args=(threads_elsewhere,))
    restorer.start()
    restorer.join()
