"""The one place that holds the version number of library and extension."""

VERSION = "0.1.0"
