"""From bytes to pixels and from maps to pictures."""
