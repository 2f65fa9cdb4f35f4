#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""split.py RECORDS DIR: puts records that lie one behind the other (include/wire.h) into files of their own,
one of each type and length."""
import os
import struct
import sys


def main():
    """The header begins with type and length, 16 bits each."""
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    while len(data) >= 4:
        kind, length = struct.unpack_from("=HH", data)
        with open(os.path.join(sys.argv[2], "%d-%d" % (kind, length)), "wb") as f:
            f.write(data[:length])
        data = data[length:]


if __name__ == "__main__":
    main()
