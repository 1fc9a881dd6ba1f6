"""The journal: what the grid operator ordered, and what was done. docs/decisions/journal.md."""
