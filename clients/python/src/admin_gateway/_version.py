__version__ = "0.0.0.dev0"
RELEASE = "0.0.0-dev"
