"""Tests of the command and the stack that it starts."""
