"""What users of the published data report: proposals that curators decide on, never applied unasked.

Belongs here: the words of a report, reading `OUTPUT/reports/*.csv`, adding a file. Does not belong here: the doubts
made of reports (`bioscan_etl.doubts`), and decisions (`bioscan_etl.decisions`).
"""
