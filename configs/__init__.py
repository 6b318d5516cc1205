"""The configurations that ship with the toolkit; `toolkit.configuration.config_path` finds them."""
