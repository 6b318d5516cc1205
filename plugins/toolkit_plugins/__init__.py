"""The built-in plugins; each folder reads like a third party's package."""
