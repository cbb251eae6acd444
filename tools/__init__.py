"""Tools of the repository: they run programs and write files; no rule of the corridor lives here."""
