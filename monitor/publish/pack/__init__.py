"""What leaves the house in an emergency: figures, letters and clocks of one case or incident, made from the ledger."""
