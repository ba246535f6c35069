"""The report: its schema, views, presets and printed forms. Everything here is a rendering of one object."""
