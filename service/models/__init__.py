"""The networks: building the default one, and reading the models folder."""
