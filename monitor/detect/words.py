"""Words that cases are written with."""

#: who opened or changed a case when no person did
SYSTEM = "porwatch"
#: where an outflow's evidence comes from while a single endpoint answers
CLAIMED = "claimed by one endpoint"
