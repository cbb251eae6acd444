"""Where state that matters lives: one database for the operator, one for each bank agent."""
