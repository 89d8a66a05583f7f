"""What the Python drivers share: a place to work in, connectors to make, and waiting.

Each driver is run as `python3 FILE CLIENT URL FOLDER`. It ends with an error at the first answer that its client does not
understand, or understands otherwise than it should; what it prints until then says how far it came.
"""

import json
import os
import subprocess
import sys
import time

SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector"
SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector"


class Place:
    """A worker's address and a folder for files; names begin with the client's."""

    def __init__(self, client, url, folder):
        self.client, self.url, self.folder = client, url, folder
        self.name = client.replace("_", "-")
        self.topic = f"{self.name}-topic"
        with open(self.path("input"), "w", encoding="utf-8") as file:
            file.write("one\ntwo\nthree\n")

    def path(self, what):
        return os.path.join(self.folder, f"{self.name}-{what}")

    def source(self, **more):
        """A source of three lines."""
        return {"connector.class": SOURCE, "file": self.path("input"), "topic": self.topic, "tasks.max": "1", **more}

    def sink(self, **more):
        return {"connector.class": SINK, "file": self.path("output"), "topics": self.topic, "tasks.max": "1", **more}

    def failing(self):
        """A sink whose task fails: its file is in a folder that is not there."""
        return self.sink(file=os.path.join(self.folder, "no", "such", "folder"))

    def file(self, name, content):
        """A JSON file, for the tools that read one."""
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file)
        return path


def eventually(what, condition, seconds=60):
    """The first true value of `condition`; errors of the client count as not yet."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except Exception as error:  # the client's own kinds
            last = error
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s; last: {last!r}")


def fails(kind, action):
    """The error of the kind that `action` raises."""
    try:
        answer = action()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}, but {answer!r}")


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def holds(text, *parts):
    for part in parts:
        assert part in text, f"{part!r} is not in {text!r}"


class Command:
    """A command line tool of the same Python environment."""

    def __init__(self, *start, **environment):
        self.start = start
        self.environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200", **environment}

    def run(self, *arguments, code=0):
        """What it prints; it must end with `code`."""
        line = [*self.start, *arguments]
        print("$", *arguments, flush=True)
        done = subprocess.run(line, env=self.environment, capture_output=True, text=True, timeout=90, check=False)
        text = done.stdout + done.stderr
        assert done.returncode == code, f"{arguments}: ended with {done.returncode}\n{text}"
        return text

    def json(self, *arguments):
        return json.loads(self.run(*arguments))


def script(name):
    """A console script of this environment."""
    return os.path.join(os.path.dirname(sys.executable), name)


def main(clients):
    client, url, folder = sys.argv[1:]
    clients[client](Place(client, url, folder))
    print(f"{client}: all understood")
