"""Output forms: what a release is written as, beside the tables that everything is made of."""
