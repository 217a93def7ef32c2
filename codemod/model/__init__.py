"""Modules as data: fields, methods, the sites where layers and variables are made."""
