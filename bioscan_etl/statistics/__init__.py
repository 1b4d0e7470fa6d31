"""Tables and figures that describe a release."""
