"""The embedded store. As in the package around it, each imports the modules that it uses."""
