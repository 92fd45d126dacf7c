"""Fetches with hf_transfer as huggingface_hub did: the CDN's address first, then 10 MB chunks, up to 8 files at once."""

import http.client
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

import hf_transfer

CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


def cdn(url):
    parts = urlsplit(url)
    connection = CONNECTIONS[parts.scheme](parts.netloc)
    connection.request("HEAD", parts.path)
    return urljoin(url, connection.getresponse().headers.get("Location") or url)


def fetch(line):
    url, path = line.rstrip("\n").split("\t")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    hf_transfer.download(cdn(url), path, 128, 10485760, parallel_failures=4, max_retries=5)


with open(sys.argv[1]) as lines, ThreadPoolExecutor(8) as pool:
    list(pool.map(fetch, lines))
