"""The operator's engine: takes payments in, settles them once and only once, and answers every bank."""
