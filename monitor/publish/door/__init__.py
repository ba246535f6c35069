"""Who comes in: log-ins, limits, the gate in front of every route, and the server that listens."""
