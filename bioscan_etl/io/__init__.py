"""Moving bytes: one reader for local files, S3 and the web, one way to write a file, one way to upload to S3.

Belongs here: what a location is, listing, reading, hashing, atomic writing, downloads and uploads. Does not belong
here: what the bytes mean, and where in the lake an output goes (`bioscan_etl.lake`).

urllib3 makes all requests to the web, boto3 all requests to S3; tenacity repeats what failed. Before a reader of our
own was kept, obstore and fsspec were tried against the same servers. obstore does not resume where a server sends no
ETag, no length or no ranges, and its seekable reader mixes two versions of a file that changes. fsspec does not resume
at all over HTTP, and s3fs cannot be installed beside a current boto3.
"""
