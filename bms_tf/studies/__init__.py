"""One command for each table: what a study declares, which runs it needs, the rule that picks, and its table."""
