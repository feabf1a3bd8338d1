"""Models as files: building the default one, and reading the models folder."""
