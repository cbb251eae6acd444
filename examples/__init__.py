"""Files and cases to start from, and the demonstration that runs them."""
