"""Runs by itself: `yara_child.py SECONDS RULES...` looks through what comes on standard input and prints what matched.

It is a process of its own so that a file that makes the scanner grow, hang or crash takes nothing else along.
"""

import json
import resource
import sys
from pathlib import Path

MEMORY_OCTETS = 1 << 30


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_OCTETS, MEMORY_OCTETS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import yara_x

    seconds, *files = sys.argv[1:]
    compiler = yara_x.Compiler()
    for file in files:
        compiler.new_namespace(Path(file).stem)
        compiler.add_source(Path(file).read_text())
    scanner = yara_x.Scanner(compiler.build())
    scanner.set_timeout(int(seconds))
    matched = scanner.scan(sys.stdin.buffer.read()).matching_rules
    print(json.dumps([f"{rule.namespace}.{rule.identifier}" for rule in matched]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
