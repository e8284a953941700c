#!/usr/bin/env python3
"""Writes NAME.msgpack beside each NAME.json, with Python's msgpack: the vectors do not come from the code that they test."""

import json
import pathlib

import msgpack

for path in sorted(pathlib.Path(__file__).parent.glob("*.json")):
    path.with_suffix(".msgpack").write_bytes(msgpack.packb(json.loads(path.read_text())))
