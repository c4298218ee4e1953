"""One page for a customer about one case, opened by a signed link. It never shows who complained."""
