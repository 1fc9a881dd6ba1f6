"""The site and its decisions. Empty: a part costs RAM only when it is imported itself."""
