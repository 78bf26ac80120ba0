#!/usr/bin/python3
"""Run the commands that documents show, and compare what they print with what the documents say.

Usage: documents.py PROGRAM DOCUMENT..; exit 1 with what differs, 77 when a library is not installed.

Of a document every fenced block counts, one after the other in one folder. In a block with lines that begin
with "$ " these are commands, which may go on over several lines, and what stands below each is what it
prints, messages and all; a line "..." stands for any number of lines. A block without any is a script. Both
must end well, and "name=value" holds for all that comes later. Blocks that need more than the program and the
usual tools of a shell are named and left out.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOOLS = {"redress", "printf", "paste", "awk", "head", "sort", "cut"}
LIBRARY = "libxgboost0"
EXIT_SKIP = 77


def blocks(path):
    """-> (line of the first, lines) of each fenced block, without the indentation of lists."""
    found, block, begun = [], None, 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip().startswith("```"):
            if block is None:
                block, begun = [], number + 1
                indentation = len(line) - len(line.lstrip())
            else:
                found.append((begun, block))
                block = None
        elif block is not None:
            block.append(line[indentation:])
    return found


def is_whole(text):
    return subprocess.run(["bash", "-n", "-c", text], stderr=subprocess.DEVNULL).returncode == 0


def commands(lines):
    """Of a block -> [command, lines it is to print, or None for any]."""
    if not any(line.startswith("$ ") for line in lines):
        return [("\n".join(lines), None)] if lines else []
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif not found:
            return []
        elif not found[-1][1] and (found[-1][0].endswith("\\") or not is_whole(found[-1][0])):
            found[-1][0] += "\n" + line
        else:
            found[-1][1].append(line)
    return found


def is_runnable(command):
    text = re.sub(r"\\\n", " ", re.sub(r"'[^']*'", "''", command))
    words = {re.split(r"[\s<]", part.strip())[0] for part in re.split(r"[\n|;]|&&", text) if part.strip()}
    return all(word in TOOLS or re.match(r"\w+=", word) for word in words)


def agree(expected, printed):
    """Whether the lines are those, "..." being any."""
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(agree(expected[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and expected[0].rstrip() == printed[0].rstrip() and agree(expected[1:], printed[1:])


class Reader:
    """Of one document, in a folder of its own with a service's data folder beside it."""

    def __init__(self, program, path, folder):
        self.path, self.folder, self.variables = path, folder, []
        os.symlink(os.path.abspath(program), f"{folder}/redress")
        self.environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}",
                            "REDRESS_DATA": f"{folder}/data"}
        self.run_count = self.compared_count = 0
        self.shell("redress demo --data $REDRESS_DATA")

    def shell(self, command):
        script = "\n".join(["set -e -o pipefail", *self.variables, command])
        return subprocess.run(["bash", "-c", script], cwd=self.folder, env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def run(self, line, command, expected):
        """-> what is wrong, or None."""
        done = self.shell(command)
        self.variables += re.findall(r"^\w+=\S*$", command, re.MULTILINE)
        self.run_count += 1
        where = f"{self.path} line {line}: {command}"
        if LIBRARY in done.stdout:
            print(f"SKIPPED: {LIBRARY} is not installed")
            sys.exit(EXIT_SKIP)
        if done.returncode != 0:
            return f"{where}\nexit code {done.returncode}\n{done.stdout}"
        if expected is None:
            return None
        self.compared_count += len(expected)
        printed = done.stdout.rstrip("\n").split("\n") if done.stdout else []
        return None if agree(expected, printed) else f"{where}\nprints\n{done.stdout}"

    def run_all(self):
        for line, lines in blocks(self.path):
            found = commands(lines)
            if not found or not all(is_runnable(command) for command, _ in found):
                print(f"  {self.path} line {line}: left out, it needs more than the program")
                continue
            for command, expected in found:
                wrong = self.run(line, command, expected)
                if wrong:
                    return wrong
        return None


def main():
    for name in sys.argv[2:]:
        with tempfile.TemporaryDirectory(prefix="redress-documents-") as folder:
            reader = Reader(sys.argv[1], pathlib.Path(name), folder)
            wrong = reader.run_all()
        if wrong:
            sys.exit(wrong)
        print(f"{name}: {reader.run_count} commands and scripts, {reader.compared_count} lines compared")
        if reader.compared_count == 0:
            sys.exit(f"{name}: shows nothing that could be compared")


if __name__ == "__main__":
    main()
