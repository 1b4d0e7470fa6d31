"""A client of BOLD, for what users fetch live: records from the portal's API, images from its image store.

Belongs here: requests, retries, resumption, and whether what arrived is whole. Does not belong here: what the
records and images mean (`records`, `images`). Nothing here is part of the pipeline: a fetched file is an input
like any other.
"""
