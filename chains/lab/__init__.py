"""Local nodes for the demo, the tests and the bench: the only code that can send, and to loopback only."""
