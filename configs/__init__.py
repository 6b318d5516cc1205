"""The configurations that belong to no plugin; `toolkit.configuration.config_path` finds them and the plugins' own."""
