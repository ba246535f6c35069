"""The exchange's side: what the chains show is set beside what the books declare. Speaks no RPC."""
