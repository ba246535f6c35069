"""What every chain shares: values, the Chain protocol, the error tree and the RPC client.

Imports no chain library and nothing of the monitor.
"""
