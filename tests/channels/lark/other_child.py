"""What stands in for the process of the long connection: it does as its argument says, and never loads lark-oapi."""

from __future__ import annotations

import base64
import json
import sys
import time


def tell(said: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def event(number: int) -> None:
    payload = json.dumps({"number": number, "header": {"token": ""}}).encode()
    tell({"id": number, "payload": base64.b64encode(payload).decode()})


def main() -> None:
    does = sys.argv[1]
    config = json.loads(sys.stdin.readline())
    assert set(config) == {"app_id", "app_secret", "domain"}
    tell({"state": "connected"})
    if does == "crash":
        sys.exit(7)
    if does == "refused":
        tell({"failed": "code 403"})
        sys.exit(3)
    if does == "mute":
        time.sleep(60)
    if does == "nonsense":
        sys.stdout.write("not json\n")
        sys.stdout.flush()
    for number in range(1, 4):
        event(number)
    answers = 0
    for line in sys.stdin:
        said = json.loads(line)
        if "ping" in said:
            tell({"pong": said["ping"]})
        elif "drain" in said and answers == 3:
            break
        elif "id" in said:
            answers += 1
            tell({"state": f"answered {said['id']} {said['status']}"})
            if answers == 3 and does == "drained":
                break


if __name__ == "__main__":
    main()
