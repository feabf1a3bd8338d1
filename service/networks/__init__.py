"""A model that is ready to run, what can be differentiated of it, and all models of a service."""
