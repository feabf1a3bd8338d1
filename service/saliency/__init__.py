"""From a photograph to a map, and what else one photograph can tell about a network."""
