"""What ``turnkeeper`` does at a terminal beside serving. Each command is a module, imported when it runs."""
