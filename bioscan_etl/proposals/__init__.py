"""Reports from users of the published data. Each is a proposal: nothing changes until a curator decides.

Belongs here: the words of a report, reading `OUTPUT/reports/*.csv`, adding a file. Does not belong here: the doubts
made of reports (`bioscan_etl.doubts`), and decisions (`bioscan_etl.decisions`).
"""
