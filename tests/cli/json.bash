# What a command prints with --json, for bats files (bash).
#
#   json EXPRESSION     stdin is one JSON value, d in the Python EXPRESSION, whose value is printed

json() {
  python3 -c '
import json, sys
d = json.load(sys.stdin)
value = eval(sys.argv[1])
print(json.dumps(value) if isinstance(value, (dict, list, bool, type(None))) else value)' "$1"
}
