"""Routes of the HTTP interface, a module for each group: ``add_NAME(app, served)``."""
