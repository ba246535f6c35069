"""Python imports this at its start where the crash test put this folder on PYTHONPATH."""

from tools.crashtest.tracer import install

install()
