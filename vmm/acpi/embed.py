#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turn compiled ACPI tables into one C file: embed.py OUT NAME=FILE..."""
import sys

out = ["/* Made by embed.py from the .asl files. */", '#include "tables.h"', ""]
for arg in sys.argv[2:]:
    name, path = arg.split("=", 1)
    with open(path, "rb") as f:
        data = f.read()
    out.append(f"static const unsigned char {name}_aml[] = {{")
    for i in range(0, len(data), 12):
        out.append("\t" + ", ".join(f"0x{b:02x}" for b in data[i:i + 12]) + ",")
    out.append("};")
    out.append(f"const struct acpi_blob acpi_{name} = {{")
    out.append(f"\t{name}_aml, sizeof({name}_aml)")
    out.append("};")
    out.append("")
with open(sys.argv[1], "w") as f:
    f.write("\n".join(out))
