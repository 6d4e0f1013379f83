"""A lab: phones and boards on several hosts, for many people, over Dask distributed.

One scheduler; on each host one process, which gives every device that is plugged in there a Dask
worker of its own. A client's lane is one task that waits for its device, so that people queue; the
host carries it out into a folder of its own, and the client collects what is finished. One machine
needs none of this, and Dask is imported by nothing else.
"""
