"""Routes of the API, a module a subject; each adds its own (``add_NAME``). What is not here stands in publish.web."""
