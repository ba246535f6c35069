"""What leaves porwatch: metrics, alerts, status and the HTTP interface. Everything here renders the ledger."""
