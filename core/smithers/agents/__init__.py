"""Who can be asked to do work: one interface, an adapter each. No SQL, no git, no plan."""
