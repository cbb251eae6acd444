"""Scripts for ``ape run``, named by who runs them. They parse, call and print; no rule lives here."""
